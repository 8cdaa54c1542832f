(func (export "opa_eval_ctx_new") (result i32) i32.const -8)
(func (export "eval") (param i32) (result i32) (i32.load (local.get 0)))
