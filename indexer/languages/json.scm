; The keys of JSON's first two levels. Captures are explained in language.h.

(comment) @comment

(document (object (pair key: (_) @name value: [(object) (array)] @body) @definition.key))
(document (object (pair key: (_) @name) @definition.key))
(document (object (pair value: (object
  (pair key: (_) @name value: [(object) (array)] @body) @definition.key))))
(document (object (pair value: (object (pair key: (_) @name) @definition.key))))
