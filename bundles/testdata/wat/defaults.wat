;; A well-behaved module of OPA's interface, one definition a line. A value is the text it has, so
;; that parsing and dumping are the identity. hostile.rs takes these lines and leaves out those whose
;; name (the first quoted word, for exports; the tag behind ;;@ for others) a hostile file defines.
(import "env" "memory" (memory 2)) ;;@memory-import
(export "memory" (memory 0))
(global (export "opa_wasm_abi_version") i32 (i32.const 1))
(global (export "opa_wasm_abi_minor_version") i32 (i32.const 3))
(global $heap (mut i32) (i32.const 65536)) ;;@heap
(data (i32.const 1024) "{}\00") ;;@builtins-table
(data (i32.const 1152) "{\"hostile/deny\": 0}\00") ;;@entrypoints-table
(data (i32.const 1280) "{{\"result\": set()}}\00") ;;@result
(func (export "builtins") (result i32) i32.const 1024)
(func (export "entrypoints") (result i32) i32.const 1152)
(func (export "eval") (param i32) (result i32) i32.const 0)
(func (export "opa_malloc") (param i32) (result i32) global.get $heap (global.set $heap (i32.add (global.get $heap) (local.get 0))))
(func (export "opa_value_parse") (param i32 i32) (result i32) local.get 0)
(func (export "opa_value_dump") (param i32) (result i32) local.get 0)
(func (export "opa_json_dump") (param i32) (result i32) local.get 0)
(func (export "opa_eval_ctx_new") (result i32) i32.const 512)
(func (export "opa_eval_ctx_set_input") (param i32 i32))
(func (export "opa_eval_ctx_set_data") (param i32 i32))
(func (export "opa_eval_ctx_set_entrypoint") (param i32 i32))
(func (export "opa_eval_ctx_get_result") (param i32) (result i32) i32.const 1280)
