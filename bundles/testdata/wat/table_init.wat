(table $t 8 funcref)
(func $f)
(elem $e func $f)
(func (export "eval") (param i32) (result i32) (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)) i32.const 0)
