(data (i32.const 1152) "[1, 2]\00") ;;@entrypoints-table
