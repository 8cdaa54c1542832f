;; Counts its decisions in what it says: memory and globals.
(global $n (mut i32) (i32.const 0))
(data (i32.const 1280) "{{\"result\": {\"a0\"}}}\00") ;;@result
(func (export "eval") (param i32) (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (i32.store8 (i32.const 1294) (i32.add (i32.load8_u (i32.const 1294)) (i32.const 1))) (i32.store8 (i32.const 1295) (i32.add (i32.const 48) (global.get $n))) i32.const 0)
