(func (export "opa_eval_ctx_get_result") (param i32) (result i32) i32.const -16)
