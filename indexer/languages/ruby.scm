; Definitions of Ruby. Captures are explained in language.h. A body holds its "end".

(identifier) @reference
(constant) @reference
(instance_variable) @reference
(class_variable) @reference
(global_variable) @reference
(simple_symbol) @reference.text
(hash_key_symbol) @reference
(comment) @comment

(call
  !receiver
  method: (identifier) @_require
  arguments: (argument_list . (string) @target)
  (#any-of? @_require "require" "require_relative" "load")) @import
(call
  !receiver
  method: (identifier) @_autoload
  arguments: (argument_list (_) . (string) @target)
  (#any-of? @_autoload "autoload")) @import

; RSpec, minitest/spec: describe Thing do … end, it "behaves" do … end
(call
  method: (identifier) @_test
  arguments: (argument_list . [(string) (constant) (scope_resolution)] @name)
  block: (_) @body
  (#any-of? @_test "describe" "context" "feature" "it" "specify" "scenario" "example" "test"))
  @definition.function @test
; minitest, test-unit: def test_behaves
(method name: (identifier) @name body: (_) @body "end" @body (#prefix? @name "test_"))
  @definition.method @test

(class name: (_) @name body: (_) @body "end" @body) @definition.class
(class name: (_) @name "end" @body) @definition.class
(module name: (_) @name body: (_) @body "end" @body) @definition.module
(module name: (_) @name "end" @body) @definition.module
(method name: (_) @name body: (body_statement) @body "end" @body) @definition.function
(method name: (_) @name "end" @body) @definition.function
(method name: (_) @name body: (_) @body) @definition.function
(singleton_method name: (_) @name body: (body_statement) @body "end" @body) @definition.method
(singleton_method name: (_) @name "end" @body) @definition.method
(singleton_method name: (_) @name body: (_) @body) @definition.method

; Name = Struct.new(…) do … end
(assignment
  left: (constant) @name
  right: (call receiver: (constant) @_struct block: (_) @body)
  (#any-of? @_struct "Struct" "Class" "Data")) @definition.class
(assignment left: (constant) @name) @definition.constant
(assignment left: (global_variable) @name) @definition.variable
(program (assignment left: (identifier) @name) @definition.variable)

(call
  !receiver
  method: (identifier) @_attribute
  arguments: (argument_list (simple_symbol) @name)
  (#any-of? @_attribute "attr_accessor" "attr_reader" "attr_writer")) @definition.field
(call
  !receiver
  method: (identifier) @_attribute
  arguments: (argument_list . (simple_symbol) @name)
  (#any-of? @_attribute "attribute" "has_many" "has_one" "belongs_to")) @definition.field
(call
  !receiver
  method: (identifier) @_define
  arguments: (argument_list . (simple_symbol) @name)
  block: (_) @body
  (#any-of? @_define "define_method")) @definition.method
(call
  !receiver
  method: (identifier) @_task
  arguments: (argument_list . [
    (simple_symbol) @name
    (pair key: (hash_key_symbol) @name)
    (pair key: (simple_symbol) @name)
  ])
  block: (_) @body
  (#any-of? @_task "task")) @definition.function
(call
  !receiver
  method: (identifier) @_scope
  arguments: (argument_list . (simple_symbol) @name . (_) @body)
  (#any-of? @_scope "scope")) @definition.method
(call
  !receiver
  method: (identifier) @_alias
  arguments: (argument_list . (simple_symbol) @name)
  (#any-of? @_alias "alias_method")) @definition.method
(alias name: (_) @name) @definition.method
