-- "users" in quotes: that is how SQLite writes a renamed table's name, so that the old schema that
-- down.sql makes is the old schema to the letter.
CREATE TABLE "users" (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO users (id, name) VALUES (1, 'Ada Lovelace'), (2, 'Grace Hopper'), (3, 'Radia Perlman');
PRAGMA user_version = 1;
