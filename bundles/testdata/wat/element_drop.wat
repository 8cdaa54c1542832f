(func $f)
(elem $e func $f)
(func (export "eval") (param i32) (result i32) (elem.drop $e) i32.const 0)
