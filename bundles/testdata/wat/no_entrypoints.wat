(data (i32.const 1152) "{}\00") ;;@entrypoints-table
