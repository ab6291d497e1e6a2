; What style sheets define: selectors, custom properties, keyframes. Captures are explained in
; language.h.

(class_name) @reference
(id_name) @reference
(tag_name) @reference
(keyframes_name) @reference
(plain_value) @reference
(comment) @comment
(js_comment) @comment

(import_statement [
  (string_value) @target
  (call_expression (arguments [(string_value) (plain_value)] @target))
]) @import

(rule_set (selectors (_) @name) (block) @body) @definition.selector
(rule_set (block (declaration
  (property_name) @name (#prefix? @name "--")) @definition.variable))
(keyframes_statement (keyframes_name) @name (keyframe_block_list) @body) @definition.key
