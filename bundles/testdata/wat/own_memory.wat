(memory 2) ;;@memory
