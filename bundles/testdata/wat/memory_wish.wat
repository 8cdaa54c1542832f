(import "env" "memory" (memory 60000)) ;;@memory-import
