(data (i32.const 131070) "four")
