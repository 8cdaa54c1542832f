(data $d "x")
(func (export "eval") (param i32) (result i32) (data.drop $d) i32.const 0)
