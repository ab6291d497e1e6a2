; Definitions of C#. Captures are explained in language.h.

(identifier) @reference
(comment) @comment

(using_directive (qualified_name) @target) @import
(using_directive !name (identifier) @target) @import

; xUnit, NUnit, MSTest: [Fact] public void Behaves() { … }
(method_declaration
  (attribute_list (attribute name: (_) @_test))
  name: (_) @name
  body: (_) @body
  (#any-of? @_test "Fact" "Theory" "Test" "TestCase" "TestCaseSource" "TestMethod"
    "DataTestMethod")) @definition.method @test

(namespace_declaration name: (_) @name body: (_) @body) @definition.namespace
(file_scoped_namespace_declaration name: (_) @name) @definition.namespace
(class_declaration name: (_) @name body: (_) @body) @definition.class
(class_declaration name: (_) @name) @definition.class
(record_declaration name: (_) @name body: (_) @body) @definition.class
(record_declaration name: (_) @name (parameter_list) @content) @definition.class
(record_declaration name: (_) @name) @definition.class
(record_declaration (parameter_list (parameter name: (_) @name) @definition.field))
(struct_declaration name: (_) @name body: (_) @body) @definition.struct
(struct_declaration name: (_) @name) @definition.struct
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(enum_declaration name: (_) @name body: (_) @content) @definition.enum
(enum_member_declaration name: (_) @name) @definition.enumerator
(delegate_declaration name: (_) @name) @definition.type

(method_declaration name: (_) @name body: (_) @body) @definition.method
(method_declaration name: (_) @name) @definition.method
(local_function_statement name: (_) @name body: (_) @body) @definition.function
(constructor_declaration name: (_) @name body: (_) @body) @definition.method
(destructor_declaration name: (_) @name body: (_) @body) @definition.method
(operator_declaration "operator" @name body: (_) @body) @definition.method
(conversion_operator_declaration "operator" @name body: (_) @body) @definition.method
(indexer_declaration "this" @name accessors: (_) @body) @definition.method
(indexer_declaration "this" @name value: (_) @body) @definition.method
(property_declaration name: (_) @name accessors: (_) @content) @definition.field
(property_declaration name: (_) @name value: (_) @body) @definition.field
(event_declaration name: (_) @name) @definition.field
(event_field_declaration
  (variable_declaration (variable_declarator name: (_) @name))) @definition.field
(field_declaration
  (modifier "const")
  (variable_declaration (variable_declarator name: (_) @name))) @definition.constant
(field_declaration
  (variable_declaration (variable_declarator name: (_) @name))) @definition.field
