BEGIN IMMEDIATE;
DROP INDEX users_by_sort_name;
CREATE TABLE users_old (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO users_old SELECT id, name FROM users;
DROP TABLE users;
ALTER TABLE users_old RENAME TO users;
PRAGMA user_version = 1;
COMMIT;
