(table $t 1 funcref)
(func (export "eval") (param i32) (result i32) (table.set $t (i32.const 0) (ref.null func)) i32.const 0)
