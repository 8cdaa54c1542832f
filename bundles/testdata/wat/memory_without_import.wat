(memory (export "memory2") 1) ;;@memory-import
