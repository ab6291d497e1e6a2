; Definitions of C++. Captures are explained in language.h. Locals are dropped by the reader of this
; file, so patterns need not say where they hold.

(identifier) @reference
(type_identifier) @reference
(field_identifier) @reference
(namespace_identifier) @reference
(preproc_arg) @reference.text
(comment) @comment

(preproc_include path: (_) @target) @import

(template_declaration (_) @inner) @outer

; GoogleTest: TEST(Suite, Name) { … }
(function_definition
  declarator: (function_declarator
    declarator: (identifier) @_macro
    parameters: (parameter_list) @name)
  body: (_) @body
  (#any-of? @_macro "TEST" "TEST_F" "TEST_P" "TYPED_TEST" "TYPED_TEST_P")) @definition.function @test

; doctest, Catch2: TEST_CASE("behavior") { … }
(expression_statement
  (call_expression
    function: (identifier) @_macro
    arguments: (argument_list . (string_literal) @name))
  (#any-of? @_macro "TEST_CASE" "SCENARIO" "TEST_CASE_TEMPLATE")) @definition.function @test

(function_definition
  declarator: [
    (function_declarator declarator: [(identifier) (field_identifier) (qualified_identifier)
                                      (destructor_name) (operator_name) (template_function)] @name)
    (operator_cast) @name
    (qualified_identifier name: (operator_cast)) @name
    (_ (function_declarator declarator: [(identifier) (field_identifier) (qualified_identifier)
                                         (destructor_name) (operator_name) (template_function)] @name))
    (_ (_ (function_declarator declarator: [(identifier) (field_identifier) (qualified_identifier)
                                            (operator_name) (template_function)] @name)))
  ]
  (field_initializer_list)? @body
  body: (_)? @body) @definition.function

(declaration
  declarator: [
    (function_declarator declarator: [(identifier) (qualified_identifier) (destructor_name)
                                      (operator_name)] @name)
    (operator_cast) @name
    (_ (function_declarator declarator: [(identifier) (qualified_identifier) (operator_name)] @name))
    (_ (_ (function_declarator declarator: [(identifier) (qualified_identifier)
                                            (operator_name)] @name)))
    (function_declarator declarator: (parenthesized_declarator (identifier) @name))
    (_ (function_declarator declarator: (parenthesized_declarator (identifier) @name)))
  ]) @definition.function

(field_declaration
  declarator: [
    (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name)
    (_ (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name))
    (_ (_ (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name)))
  ]) @definition.method

(field_declaration
  declarator: [
    (field_identifier) @name
    (pointer_declarator declarator: (field_identifier) @name)
    (reference_declarator (field_identifier) @name)
    (array_declarator declarator: (field_identifier) @name)
    (function_declarator
      declarator: (parenthesized_declarator
        (pointer_declarator declarator: (field_identifier) @name)))
  ]) @definition.field

(declaration
  declarator: [
    [(identifier) (qualified_identifier)] @name
    (pointer_declarator declarator: (identifier) @name)
    (reference_declarator (identifier) @name)
    (array_declarator declarator: (identifier) @name)
    (init_declarator declarator: [(identifier) (qualified_identifier)] @name)
    (init_declarator declarator: (_ declarator: (identifier) @name))
    (init_declarator declarator: (reference_declarator (identifier) @name))
    (function_declarator
      declarator: (parenthesized_declarator
        (pointer_declarator declarator: (identifier) @name)))
    (_ (function_declarator
      declarator: (parenthesized_declarator
        (pointer_declarator declarator: (identifier) @name))))
  ]) @definition.variable

(class_specifier name: (_) @name body: (_) @body) @definition.class
(struct_specifier name: (_) @name body: (_) @body) @definition.struct
(union_specifier name: (_) @name body: (_) @body) @definition.union
(enum_specifier name: (_) @name body: (_) @content) @definition.enum
(enumerator name: (_) @name) @definition.enumerator
(concept_definition name: (_) @name) @definition.type
(namespace_definition name: (_) @name body: (_) @body) @definition.namespace
(alias_declaration name: (_) @name) @definition.type

(type_definition
  type: (struct_specifier !name body: (_) @body)
  declarator: (type_identifier) @name) @definition.struct
(type_definition
  type: (enum_specifier !name body: (_) @content)
  declarator: (type_identifier) @name) @definition.enum
(type_definition
  declarator: [
    (type_identifier) @name
    (pointer_declarator declarator: (type_identifier) @name)
    (function_declarator
      declarator: (parenthesized_declarator
        (pointer_declarator declarator: (type_identifier) @name)))
  ]) @definition.type

(preproc_def name: (identifier) @name) @definition.macro
(preproc_function_def name: (identifier) @name value: (_)? @body) @definition.macro
