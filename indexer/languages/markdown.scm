; Headings of Markdown; a section reaches to the next heading of its level. Captures are explained in
; language.h.

(section . (atx_heading heading_content: (_) @name) (_)* @body) @definition.heading
(section . (setext_heading heading_content: (_) @name) (_)* @body) @definition.heading
