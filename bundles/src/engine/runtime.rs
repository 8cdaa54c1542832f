//! WebAssembly runtimes, each with its host functions and its clock: the one that decides, and the ones that get a
//! module ready for it and count what it costs.

use std::sync::Arc;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig, RegallocAlgorithm,
};

use super::error::EngineError;
use super::host::{self, HostState, MAX_TABLE_ELEMENTS};
use super::slots::Slots;
use super::ticker::Ticker;

/// The stack of one evaluation, in bytes. Threads that evaluate need about twice as much.
const WASM_STACK_BYTES: usize = 512 * 1024;
/// Decisions at the same time, of all bundles together. Each reserves address space, not memory.
const MAX_DECISIONS: u32 = 64;
/// The most linear memory a limit can grant: what 32 bits can address.
const MAX_MEMORY_BYTES: usize = 4 << 30;
/// What is overwritten from the snapshot when a decision ends, so that the next one in its place meets fewer page faults: what
/// usual inputs touch. What is beyond it goes back to the operating system.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// One runtime; cheap to clone.
#[derive(Clone)]
pub(super) struct Runtime {
    pub(super) engine: wasmtime::Engine,
    pub(super) linker: Arc<Linker<HostState>>,
    pub(super) ticker: Arc<Ticker>,
    /// Places for instances.
    pub(super) slots: Arc<Slots>,
    pub(super) counts_fuel: bool,
}

impl Runtime {
    /// The runtime of live decisions: optimised code, and instances that start as copy-on-write views of a snapshot in
    /// places that were prepared before.
    pub(super) fn live() -> Result<Self, EngineError> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(MAX_DECISIONS)
            .total_memories(MAX_DECISIONS)
            .total_tables(MAX_DECISIONS)
            .max_memory_size(MAX_MEMORY_BYTES)
            .max_memories_per_module(1)
            .max_tables_per_module(1)
            .table_elements(MAX_TABLE_ELEMENTS)
            .max_core_instance_size(1 << 20)
            .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
            .table_keep_resident(64 * 1024)
            // The kernel's list of written pages would tell which to overwrite, and is faster. But before wasmtime 50, written
            // pages that are not present just then, swapped out or on the move, are left to the next decision
            // (bytecodealliance/wasmtime#14357).
            .pagemap_scan(Enabled::No);
        let mut config = config();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            // Without this, a snapshot beyond 16 MiB with holes would be copied anew for every decision.
            .memory_guaranteed_dense_image_size(u64::MAX);
        Self::new(&config)
    }

    /// The runtime that runs a module once, to take its snapshot: code that is compiled fast.
    pub(super) fn draft() -> Result<Self, EngineError> {
        let mut config = config();
        compile_fast(&mut config);
        Self::new(&config)
    }

    /// The runtime that counts instructions.
    pub(super) fn metering() -> Result<Self, EngineError> {
        let mut config = config();
        compile_fast(config.consume_fuel(true));
        let runtime = Self::new(&config)?;
        Ok(Self {
            counts_fuel: true,
            ..runtime
        })
    }

    fn new(config: &Config) -> Result<Self, EngineError> {
        let refused = |error: wasmtime::Error| EngineError::Runtime(error.into_boxed_dyn_error());
        let engine = wasmtime::Engine::new(config).map_err(refused)?;
        Ok(Self {
            linker: Arc::new(host::linker(&engine).map_err(refused)?),
            ticker: Arc::new(Ticker::start(engine.clone()).map_err(EngineError::Ticker)?),
            slots: Arc::new(Slots::new(MAX_DECISIONS as usize)),
            engine,
            counts_fuel: false,
        })
    }
}

/// For code that runs once or a few times.
fn compile_fast(config: &mut Config) {
    config
        .cranelift_opt_level(OptLevel::None)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
}

/// What OPA's modules need of WebAssembly and no more, and nothing whose result may differ from one
/// machine to another.
fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false);
    config
}
