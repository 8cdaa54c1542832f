(table $t 8 funcref)
(func (export "eval") (param i32) (result i32) (table.copy $t $t (i32.const 0) (i32.const 4) (i32.const 4)) i32.const 0)
