(data (i32.const -1) "four")
