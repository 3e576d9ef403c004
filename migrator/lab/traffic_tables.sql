CREATE TABLE migrator_lab.users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, password_hash text NOT NULL);
CREATE TABLE migrator_lab.habits (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL, name text NOT NULL);
CREATE TABLE migrator_lab.completions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, habit_id bigint NOT NULL, client_ref uuid NOT NULL,
  completed_on date NOT NULL, note text)
