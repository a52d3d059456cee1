BEGIN IMMEDIATE;
CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, sort_name TEXT NOT NULL);
INSERT INTO users_new SELECT id, name, substr(name, instr(name, ' ') + 1) FROM users;
DROP TABLE users;
ALTER TABLE users_new RENAME TO users;
CREATE INDEX users_by_sort_name ON users (sort_name);
PRAGMA user_version = 2;
COMMIT;
