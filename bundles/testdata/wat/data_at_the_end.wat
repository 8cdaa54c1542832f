(data (i32.const -8) "four")
