; The keys of YAML's first two levels, and anchors. Captures are explained in language.h.

(comment) @comment
(alias_name) @reference

(document (block_node (block_mapping
  (block_mapping_pair key: (_) @name value: (block_node) @body) @definition.key)))
(document (block_node (block_mapping (block_mapping_pair key: (_) @name) @definition.key)))
(document (block_node (block_mapping (block_mapping_pair value: (block_node (block_mapping
  (block_mapping_pair key: (_) @name value: (block_node) @body) @definition.key))))))
(document (block_node (block_mapping (block_mapping_pair value: (block_node (block_mapping
  (block_mapping_pair key: (_) @name) @definition.key))))))
(anchor (anchor_name) @name) @definition.variable
