-- Who writes.
CREATE TABLE IF NOT EXISTS public.authors (
  id BIGINT PRIMARY KEY,
  full_name VARCHAR(100) NOT NULL, -- as printed
  UNIQUE (full_name)
);

/* What is written. */
CREATE TABLE books (
  id INT,
  author_id INT REFERENCES authors (id),
  "title" TEXT DEFAULT 'none'
);

CREATE UNIQUE INDEX books_by_title ON books (title);
CREATE VIEW titled AS
  SELECT b.title, a.full_name FROM books b JOIN authors a ON a.id = b.author_id;
CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM books;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE SCHEMA archive;
CREATE SEQUENCE book_ids START 10;

-- Adds one.
CREATE OR REPLACE FUNCTION add_book(book TEXT, many INTEGER) RETURNS INTEGER AS $$
BEGIN
  INSERT INTO books (title) VALUES (book);
  RETURN many + 1;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER book_added AFTER INSERT ON books FOR EACH ROW EXECUTE FUNCTION add_book();

ALTER TABLE books ADD COLUMN year INT;
WITH recent AS (SELECT id FROM books WHERE id > 3)
SELECT * FROM recent;
