; Definitions of SQL, of any dialect. Captures are explained in language.h.

(identifier) @reference
(comment) @comment
(marginalia) @comment

(create_table
  (object_reference schema: (_)? @container name: (_) @name)
  (column_definitions)? @body) @definition.table
(create_view
  (object_reference schema: (_)? @container name: (_) @name)
  (create_query) @body) @definition.table
(create_materialized_view
  (object_reference schema: (_)? @container name: (_) @name)
  (create_query) @body) @definition.table
(create_function
  (keyword_function)
  . (object_reference schema: (_)? @container name: (_) @name)
  (function_body) @body) @definition.function
(create_trigger (keyword_trigger) . (object_reference name: (_) @name)) @definition.function
(create_index (keyword_index) . column: (_) @name) @definition.key
(create_type (object_reference name: (_) @name)) @definition.type
(create_schema (identifier) @name) @definition.namespace
(create_sequence (object_reference name: (_) @name)) @definition.variable
(create_table (column_definitions (column_definition name: (_) @name) @definition.field))
(alter_table
  (object_reference name: (_) @container)
  (add_column (column_definition name: (_) @name) @definition.field))
