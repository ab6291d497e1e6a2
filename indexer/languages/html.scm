; What a page can be linked at: ids and headings. Captures are explained in language.h.

(attribute_value) @reference.text
(raw_text) @reference.text
(comment) @comment

(start_tag
  (attribute
    (attribute_name) @_id
    [(attribute_value) @name (quoted_attribute_value (attribute_value) @name)])
  (#any-of? @_id "id" "ID")) @definition.key
(self_closing_tag
  (attribute
    (attribute_name) @_id
    [(attribute_value) @name (quoted_attribute_value (attribute_value) @name)])
  (#any-of? @_id "id" "ID")) @definition.key
(element
  (start_tag (tag_name) @_heading)
  . (text) @name
  (#any-of? @_heading "title" "h1" "h2" "h3" "h4" "h5" "h6")) @definition.heading

(script_element (start_tag (attribute
  (attribute_name) @_src
  [(attribute_value) @target (quoted_attribute_value (attribute_value) @target)]
  (#any-of? @_src "src")))) @import
(element (start_tag
  (tag_name) @_link
  (attribute
    (attribute_name) @_href
    [(attribute_value) @target (quoted_attribute_value (attribute_value) @target)])
  (#any-of? @_link "link")
  (#any-of? @_href "href"))) @import
