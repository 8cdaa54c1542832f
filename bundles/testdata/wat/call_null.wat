(type $t (func))
(table $f 2 funcref)
(func (export "eval") (param i32) (result i32) (call_indirect $f (type $t) (i32.const 1)) i32.const 0)
