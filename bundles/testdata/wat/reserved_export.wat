(func (export "__wizer_memory_0"))
