(func (export "eval") (param i32) (result i32) (i32.store offset=4294967295 (i32.const -1) (i32.const 1)) i32.const 0)
