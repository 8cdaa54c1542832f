(func (export "builtins") (result i32) i32.const 131072)
