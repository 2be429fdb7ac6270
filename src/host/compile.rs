//! From Code to machine code for this computer, with Cranelift.
//!
//! Each function of the Code becomes one function of the host's C calling convention:
//!
//! ```text
//!   extern "C" fn(arena: *mut u8, thread: i64, control: *mut Control) -> i64
//! ```
//!
//! It returns 0 or says what went wrong; nothing a program does ends in a trap. Cranelift runs at
//! `opt_level=none`: higher levels merge loads of one element and forward stores to loads, so that the host would do fewer accesses
//! than Code says. Every machine instruction keeps the number of the instruction of Code it was made from, so a program counter
//! leads back to a source line, and the accesses of the machine code can be held against those of Code.

use std::fmt;
use std::ops::Range;
use std::sync::Mutex;

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, ir};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, ModuleError};

use crate::host::control::{self, Control};
use crate::host::translate::{Callee, Callees, translate};
use crate::program::code::{Code, Function, Phase};
use crate::program::tree::Type;

/// Why there is no machine code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// Cranelift does not generate code for this kind of processor.
    UnsupportedHost(String),
    /// The code generator gave up, for instance as the program is too large.
    Failed(String),
    /// The program sends messages, which this computer does not run yet.
    Messages,
}

impl CompileError {
    pub(super) fn of(error: ModuleError) -> CompileError {
        CompileError::Failed(format!("{error:?}"))
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::UnsupportedHost(reason) => {
                write!(
                    f,
                    "programs cannot be run on this computer itself, as there is no code generator for its processor: {reason}"
                )
            }
            CompileError::Messages => f.write_str("programs with ranks and messages cannot be run on this computer itself yet"),
            CompileError::Failed(reason) => write!(f, "no machine code could be made of the program: {reason}"),
        }
    }
}

impl std::error::Error for CompileError {}

/// The type of a compiled function.
pub type Entry = unsafe extern "C" fn(arena: *mut u8, thread: i64, control: *mut Control) -> i64;

/// Machine code made from one instruction of Code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Bytes of the function's machine code.
    pub bytes: Range<u32>,
    /// Index into [`Code::instructions`].
    pub instruction: u32,
}

/// The machine code of one function.
#[derive(Clone, Debug)]
pub struct MachineCode {
    pub phase: Phase,
    /// Whether all threads enter it.
    pub parallel: bool,
    /// Address of its first byte.
    pub address: usize,
    /// Its bytes before relocation.
    pub bytes: Vec<u8>,
    /// Sorted and disjoint; bytes between belong to no instruction (entry, moves at block ends).
    pub locations: Vec<Location>,
}

/// A program as machine code, ready to run.
pub struct Compiled {
    /// What it was made from, so that it is never run with anything else.
    code: Code,
    /// Owns the executable memory; taken only when dropped. The mutex makes it shareable, nothing ever locks it.
    module: Mutex<Option<JITModule>>,
    functions: Vec<MachineCode>,
}

impl Compiled {
    /// What it was made from.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The functions in the order of the Code.
    pub fn machine_code(&self) -> &[MachineCode] {
        &self.functions
    }

    /// The entry of a phase and whether all threads enter it. It may be called only while `self` lives.
    pub fn entry(&self, phase: Phase) -> Option<(Entry, bool)> {
        let function = self.functions.iter().find(|function| function.phase == phase)?;
        // SAFETY: the address is that of a finalised function compiled with exactly this signature and calling convention.
        let entry = unsafe { std::mem::transmute::<*const u8, Entry>(function.address as *const u8) };
        Some((entry, function.parallel))
    }

    /// The smallest range of addresses that holds all machine code.
    pub fn addresses(&self) -> Range<usize> {
        let start = self.functions.iter().map(|function| function.address).min().unwrap_or(0);
        let end = self.functions.iter().map(|function| function.address + function.bytes.len()).max().unwrap_or(0);
        start..end
    }

    /// The instruction of Code that the machine code at an address was made from. Bytes that belong to none count to the last
    /// instruction before them.
    pub fn instruction_at(&self, address: usize) -> Option<u32> {
        let function = self
            .functions
            .iter()
            .find(|function| (function.address..function.address + function.bytes.len()).contains(&address))?;
        let offset = (address - function.address) as u32;
        let after = function.locations.partition_point(|location| location.bytes.start <= offset);
        function.locations.get(after.saturating_sub(1)).map(|location| location.instruction)
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        if let Ok(module) = self.module.get_mut()
            && let Some(module) = module.take()
        {
            // SAFETY: entries are called only while `self` is borrowed (see `Compiled::entry`), so none runs now.
            unsafe { module.free_memory() };
        }
    }
}

/// Compiles all functions of a Code for this computer.
///
/// The Code is trusted to keep its contract: a load or store that neither a check nor an analysis keeps inside its array would
/// reach into this process. Code that `lower` made keeps it.
pub fn compile(code: Code) -> Result<Compiled, CompileError> {
    compile_at("none", code)
}

/// The same at a level of optimisation of Cranelift's.
fn compile_at(opt_level: &str, code: Code) -> Result<Compiled, CompileError> {
    if code.ranks > 1 || !code.messages.is_empty() {
        return Err(CompileError::Messages);
    }
    let isa = host_isa(opt_level)?;
    let mut builder = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
    for callee in Callee::ALL {
        builder.symbol(callee.symbol(), callee.address());
    }
    // Where the processor has no fused multiply-add, Cranelift calls these.
    builder.symbol("fma", control::fma_f64 as *const u8);
    builder.symbol("fmaf", control::fma_f32 as *const u8);
    let mut module = JITModule::new(builder);
    match define_all(&mut module, &code) {
        Ok(functions) => Ok(Compiled { code, module: Mutex::new(Some(module)), functions }),
        Err(error) => {
            // SAFETY: nothing was made to run.
            unsafe { module.free_memory() };
            Err(error)
        }
    }
}

/// The code generator for this computer.
fn host_isa(opt_level: &str) -> Result<OwnedTargetIsa, CompileError> {
    let mut flags = settings::builder();
    // Stack probes: a function with thousands of registers may have a frame larger than the guard page.
    let values = [
        ("opt_level", opt_level),
        ("use_colocated_libcalls", "false"),
        ("is_pic", "false"),
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
    ];
    for (name, value) in values {
        flags.set(name, value).map_err(|error| CompileError::Failed(error.to_string()))?;
    }
    let builder = cranelift_native::builder().map_err(|reason| CompileError::UnsupportedHost(reason.to_owned()))?;
    builder.finish(settings::Flags::new(flags)).map_err(|error| CompileError::UnsupportedHost(error.to_string()))
}

fn define_all(module: &mut JITModule, code: &Code) -> Result<Vec<MachineCode>, CompileError> {
    let callees = Callees::declare(module)?;
    let mut context = module.make_context();
    let mut builder_context = FunctionBuilderContext::new();
    let mut functions = Vec::with_capacity(code.functions.len());
    let mut ids = Vec::with_capacity(code.functions.len());
    for function in &code.functions {
        context.func.signature = entry_signature(module);
        let id = module.declare_anonymous_function(&context.func.signature).map_err(CompileError::of)?;
        {
            let builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
            translate(code, function, builder, module, &callees);
        }
        module.define_function(id, &mut context).map_err(CompileError::of)?;
        functions.push(machine_code(function, &context));
        ids.push(id);
        module.clear_context(&mut context);
    }
    module.finalize_definitions().map_err(CompileError::of)?;
    for (function, id) in functions.iter_mut().zip(ids) {
        function.address = module.get_finalized_function(id) as usize;
    }
    Ok(functions)
}

fn entry_signature(module: &JITModule) -> ir::Signature {
    let mut signature = module.make_signature();
    let pointer = module.target_config().pointer_type();
    signature.params.extend([pointer, ir::types::I64, pointer].map(ir::AbiParam::new));
    signature.returns.push(ir::AbiParam::new(ir::types::I64));
    signature
}

/// What the context compiled last; its address is not known yet.
fn machine_code(function: &Function, context: &Context) -> MachineCode {
    let (mut bytes, mut locations) = (Vec::new(), Vec::new());
    if let Some(compiled) = context.compiled_code() {
        bytes = compiled.code_buffer().to_vec();
        locations = compiled
            .buffer
            .get_srclocs_sorted()
            .iter()
            .filter(|location| !location.loc.is_default())
            .map(|location| Location { bytes: location.start..location.end, instruction: location.loc.bits() })
            .collect();
    }
    MachineCode { phase: function.phase, parallel: function.parallel, address: 0, bytes, locations }
}

/// The type of a register's values in Cranelift; a bool is a byte that holds 0 or 1.
pub(super) fn value_type(r#type: Type) -> ir::Type {
    match r#type {
        Type::I64 => ir::types::I64,
        Type::I32 => ir::types::I32,
        Type::F64 => ir::types::F64,
        Type::F32 => ir::types::F32,
        Type::Bool => ir::types::I8,
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
pub(super) mod accesses;
#[cfg(test)]
mod tests;
