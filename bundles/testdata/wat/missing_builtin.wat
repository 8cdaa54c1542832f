(data (i32.const 1024) "{\"http.send\": 0, \"frobnicate\": 1, \"sprintf\": 2}\00") ;;@builtins-table
