; Definitions of Bash. Captures are explained in language.h.

(command_name) @reference
(variable_name) @reference
(comment) @comment

(command
  name: (command_name) @_source
  argument: [(word) (string) (raw_string) (concatenation)] @target
  (#any-of? @_source "source" ".")) @import

(function_definition name: (_) @name body: (_) @body (#prefix? @name "test_")) @definition.function @test
(function_definition name: (_) @name body: (_) @body) @definition.function

(program (variable_assignment name: (variable_name) @name) @definition.variable)
(program (variable_assignments
  (variable_assignment name: (variable_name) @name) @definition.variable))
(program (declaration_command
  "readonly" (variable_assignment name: (variable_name) @name)) @definition.constant)
(program (declaration_command
  (variable_assignment name: (variable_name) @name)) @definition.variable)
