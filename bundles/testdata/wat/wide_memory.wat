(import "env" "memory" (memory i64 2)) ;;@memory-import
