; Tables and keys of TOML. Captures are explained in language.h.

(comment) @comment

(table . (_) @name (pair)* @body) @definition.key
(table_array_element . (_) @name (pair)* @body) @definition.key
(document (pair . (_) @name) @definition.key)
(table (pair . (_) @name) @definition.key)
(table_array_element (pair . (_) @name) @definition.key)
