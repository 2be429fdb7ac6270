//! From Code to Cranelift's intermediate form, an instruction at a time.
//!
//! A register is a Cranelift variable; [`ZERO`] is a constant wherever it is read. A load or store is one machine access to
//! `[arena + index * stride + offset]`, where the offset holds the array's base: no base is ever loaded or kept in a register.
//! Accesses are not marked free of traps, as Cranelift drops such loads where their value is not used.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, MemFlagsData, SourceLoc, Value, types};
use cranelift_frontend::{FunctionBuilder, Variable};
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Linkage, Module};

use crate::host::compile::{CompileError, value_type};
use crate::host::control::{self, Control};
use crate::program::code::{ArrayId, BlockId, Code, Function, Instruction, Register, THREAD, ZERO};
use crate::program::tree::{BinaryOperator, Comparison, Type, UnaryOperator};

/// A function of the host that generated code calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    Wait,
    Sine,
    Cosine,
    Exponential,
    Logarithm,
    SineF32,
    CosineF32,
    ExponentialF32,
    LogarithmF32,
}

impl Callee {
    pub(super) const ALL: [Callee; 9] = [
        Callee::Wait,
        Callee::Sine,
        Callee::Cosine,
        Callee::Exponential,
        Callee::Logarithm,
        Callee::SineF32,
        Callee::CosineF32,
        Callee::ExponentialF32,
        Callee::LogarithmF32,
    ];

    pub(super) fn symbol(self) -> String {
        format!("flynn_{self:?}")
    }

    pub(super) fn address(self) -> *const u8 {
        match self {
            Callee::Wait => control::wait as *const u8,
            Callee::Sine => control::sine_f64 as *const u8,
            Callee::Cosine => control::cosine_f64 as *const u8,
            Callee::Exponential => control::exponential_f64 as *const u8,
            Callee::Logarithm => control::logarithm_f64 as *const u8,
            Callee::SineF32 => control::sine_f32 as *const u8,
            Callee::CosineF32 => control::cosine_f32 as *const u8,
            Callee::ExponentialF32 => control::exponential_f32 as *const u8,
            Callee::LogarithmF32 => control::logarithm_f32 as *const u8,
        }
    }

    /// Types of the parameters and of the result.
    fn types(self, pointer: ir::Type) -> (Vec<ir::Type>, ir::Type) {
        match self {
            Callee::Wait => (vec![pointer, types::I64, types::I64], types::I64),
            Callee::Sine | Callee::Cosine | Callee::Exponential | Callee::Logarithm => (vec![types::F64], types::F64),
            Callee::SineF32 | Callee::CosineF32 | Callee::ExponentialF32 | Callee::LogarithmF32 => (vec![types::F32], types::F32),
        }
    }

    /// The special function of an operator in a type.
    fn of(operator: UnaryOperator, r#type: Type) -> Option<Callee> {
        Some(match (operator, r#type) {
            (UnaryOperator::Sine, Type::F64) => Callee::Sine,
            (UnaryOperator::Cosine, Type::F64) => Callee::Cosine,
            (UnaryOperator::Exponential, Type::F64) => Callee::Exponential,
            (UnaryOperator::Logarithm, Type::F64) => Callee::Logarithm,
            (UnaryOperator::Sine, Type::F32) => Callee::SineF32,
            (UnaryOperator::Cosine, Type::F32) => Callee::CosineF32,
            (UnaryOperator::Exponential, Type::F32) => Callee::ExponentialF32,
            (UnaryOperator::Logarithm, Type::F32) => Callee::LogarithmF32,
            _ => return None,
        })
    }
}

/// The callees as a module knows them, in the order of [`Callee::ALL`].
pub(super) struct Callees(Vec<FuncId>);

impl Callees {
    pub(super) fn declare(module: &mut JITModule) -> Result<Callees, CompileError> {
        let pointer = module.target_config().pointer_type();
        let declare = |callee: Callee| {
            let mut signature = module.make_signature();
            let (parameters, result) = callee.types(pointer);
            signature.params.extend(parameters.into_iter().map(ir::AbiParam::new));
            signature.returns.push(ir::AbiParam::new(result));
            module.declare_function(&callee.symbol(), Linkage::Import, &signature).map_err(CompileError::of)
        };
        Callee::ALL.into_iter().map(declare).collect::<Result<_, _>>().map(Callees)
    }
}

/// Fills in one function.
pub(super) fn translate(code: &Code, function: &Function, builder: FunctionBuilder, module: &mut JITModule, callees: &Callees) {
    let configuration = module.target_config();
    let mut translator = Translator::new(code, function, builder, module, callees);
    for block in function.blocks.clone() {
        translator.translate_block(block);
    }
    translator.builder.seal_all_blocks();
    translator.builder.finalize(configuration);
}

/// One function in the making.
pub(super) struct Translator<'a> {
    pub(super) code: &'a Code,
    pub(super) builder: FunctionBuilder<'a>,
    module: &'a mut JITModule,
    callees: &'a Callees,
    /// References to the callees, made at the first call.
    references: Vec<Option<ir::FuncRef>>,
    variables: Vec<Variable>,
    blocks: Vec<ir::Block>,
    first_block: BlockId,
    /// The arena's address plus [`Translator::bias`].
    arena: Value,
    pub(super) control: Value,
    /// Added to the arena's address at entry, so that signed 32-bit offsets reach 4 GiB of arena and not 2.
    bias: i64,
    /// The instruction being translated.
    pub(super) instruction: u32,
}

impl<'a> Translator<'a> {
    fn new(
        code: &'a Code,
        function: &Function,
        mut builder: FunctionBuilder<'a>,
        module: &'a mut JITModule,
        callees: &'a Callees,
    ) -> Translator<'a> {
        let variables: Vec<Variable> = code.registers.iter().map(|&r#type| builder.declare_var(value_type(r#type))).collect();
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let &[arena, thread, control] = builder.block_params(entry) else { unreachable!("entry_signature has three parameters") };
        builder.def_var(variables[THREAD as usize], thread);
        let bias = if code.arena.size > i32::MAX as u64 { 1 << 31 } else { 0 };
        let arena = if bias == 0 { arena } else { builder.ins().iadd_imm_s(arena, bias) };
        let blocks: Vec<ir::Block> = function.blocks.clone().map(|_| builder.create_block()).collect();
        builder.ins().jump(blocks[(function.entry - function.blocks.start) as usize], &[]);
        Translator {
            code,
            builder,
            module,
            callees,
            references: vec![None; Callee::ALL.len()],
            variables,
            blocks,
            first_block: function.blocks.start,
            arena,
            control,
            bias,
            instruction: 0,
        }
    }

    pub(super) fn block(&self, block: BlockId) -> ir::Block {
        self.blocks[(block - self.first_block) as usize]
    }

    fn translate_block(&mut self, block: BlockId) {
        self.builder.switch_to_block(self.block(block));
        let first = self.code.blocks[block as usize].first;
        for (offset, instruction) in self.code.block(block).iter().enumerate() {
            self.instruction = first + offset as u32;
            self.builder.set_srcloc(SourceLoc::new(self.instruction));
            self.translate_instruction(instruction);
        }
    }

    pub(super) fn register_type(&self, register: Register) -> Type {
        self.code.registers[register as usize]
    }

    pub(super) fn read(&mut self, register: Register) -> Value {
        if register == ZERO {
            return self.builder.ins().iconst(types::I64, 0);
        }
        self.builder.use_var(self.variables[register as usize])
    }

    pub(super) fn write(&mut self, register: Register, value: Value) {
        if register != ZERO {
            self.builder.def_var(self.variables[register as usize], value);
        }
    }

    fn translate_instruction(&mut self, instruction: &Instruction) {
        match *instruction {
            Instruction::Constant { to, value } => {
                let value = self.constant(self.register_type(to), self.code.constants[value as usize]);
                self.write(to, value);
            }
            Instruction::Copy { to, from } => {
                let value = self.read(from);
                self.write(to, value);
            }
            Instruction::Load { to, array, index, constant } => {
                let (address, offset) = self.address(array, index, constant);
                let r#type = value_type(self.register_type(to));
                let value = self.builder.ins().load(r#type, MemFlagsData::new(), address, offset);
                self.write(to, value);
            }
            Instruction::Store { from, array, index, constant } => {
                let value = self.read(from);
                let (address, offset) = self.address(array, index, constant);
                self.builder.ins().store(MemFlagsData::new(), value, address, offset);
            }
            Instruction::Check { index, constant, length } => {
                self.check_index(index, constant, self.code.constants[length as usize])
            }
            Instruction::CheckDivisor { divisor } => {
                let value = self.read(divisor);
                let fine = self.builder.ins().icmp_imm_s(IntCC::NotEqual, value, 0);
                self.stop_unless(fine, control::DIVISION_BY_ZERO, None);
            }
            Instruction::Jump { to } => {
                let to = self.block(to);
                self.builder.ins().jump(to, &[]);
            }
            Instruction::Branch { comparison, a, b, then, otherwise } => {
                let (left, right) = (self.read(a), self.read(b));
                let condition = self.compare(self.register_type(a), comparison, left, right);
                self.branch(condition, then, otherwise);
            }
            Instruction::BranchConstant { comparison, a, constant, then, otherwise } => {
                let left = self.read(a);
                let condition = self.builder.ins().icmp_imm_s(integer_condition(comparison), left, i64::from(constant));
                self.branch(condition, then, otherwise);
            }
            Instruction::Synchronise { operation, next } => self.synchronise(operation, next),
            Instruction::Busy { count, next } => self.busy(count, next),
            Instruction::Finish => self.leave(control::FINISHED),
            _ => self.translate_arithmetic(instruction),
        }
    }

    fn translate_arithmetic(&mut self, instruction: &Instruction) {
        let (to, value) = match *instruction {
            Instruction::Unary { operator, to, a } => {
                let a = self.read(a);
                (to, self.unary(self.register_type(to), operator, a))
            }
            Instruction::Binary { operator, to, a, b } => {
                let (a, b) = (self.read(a), self.read(b));
                (to, self.binary(self.register_type(to), operator, a, b))
            }
            Instruction::BinaryConstant { operator, to, a, constant } => {
                let r#type = self.register_type(to);
                let a = self.read(a);
                let b = self.constant(r#type, i64::from(constant) as u64);
                let value = match operator {
                    BinaryOperator::Divide | BinaryOperator::Remainder => self.floor_by_constant(r#type, operator, a, constant),
                    _ => self.binary(r#type, operator, a, b),
                };
                (to, value)
            }
            Instruction::DivideNonNegative { remainder, to, a, b } => {
                let (a, b) = (self.read(a), self.read(b));
                let value = if remainder { self.builder.ins().urem(a, b) } else { self.builder.ins().udiv(a, b) };
                (to, value)
            }
            Instruction::ShiftRightLogical { to, a, count } => {
                let a = self.read(a);
                (to, self.builder.ins().ushr_imm_u(a, i64::from(count)))
            }
            Instruction::Compare { comparison, to, a, b } => {
                let (left, right) = (self.read(a), self.read(b));
                (to, self.compare(self.register_type(a), comparison, left, right))
            }
            Instruction::Select { to, condition, a, b } => {
                let (condition, a, b) = (self.read(condition), self.read(a), self.read(b));
                (to, self.builder.ins().select(condition, a, b))
            }
            Instruction::FusedMultiplyAdd { to, a, b, c } => {
                let (a, b, c) = (self.read(a), self.read(b), self.read(c));
                (to, self.builder.ins().fma(a, b, c))
            }
            Instruction::Convert { to, from } => {
                let value = self.read(from);
                (to, self.convert(self.register_type(from), self.register_type(to), value))
            }
            _ => unreachable!("translate_instruction takes all others"),
        };
        self.write(to, value);
    }

    /// A constant from register bits.
    pub(super) fn constant(&mut self, r#type: Type, bits: u64) -> Value {
        match r#type {
            Type::F64 => self.builder.ins().f64const(Ieee64::with_bits(bits)),
            Type::F32 => self.builder.ins().f32const(Ieee32::with_bits(bits as u32)),
            // Narrow constants must come zero-extended.
            Type::I32 => self.builder.ins().iconst(types::I32, i64::from(bits as u32)),
            Type::I64 => self.builder.ins().iconst(types::I64, bits as i64),
            Type::Bool => self.builder.ins().iconst(types::I8, i64::from(bits != 0)),
        }
    }

    /// Where element `index + constant` of an array is: an address and a constant offset from it.
    pub(super) fn address(&mut self, array: ArrayId, index: Register, constant: i32) -> (Value, i32) {
        let array = &self.code.arrays[array as usize];
        let (base, stride) = (array.base as i64, i64::from(array.stride));
        let offset = base.wrapping_add(stride.wrapping_mul(i64::from(constant))).wrapping_sub(self.bias);
        let mut address = self.arena;
        if index != ZERO {
            let mut index = self.read_index(index);
            if stride.count_ones() != 1 {
                index = self.builder.ins().imul_imm_s(index, stride);
            } else if stride > 1 {
                index = self.builder.ins().ishl_imm_u(index, i64::from(stride.trailing_zeros()));
            }
            address = self.builder.ins().iadd(address, index);
        }
        match i32::try_from(offset) {
            Ok(offset) => (address, offset),
            Err(_) => (self.builder.ins().iadd_imm_s(address, offset), 0),
        }
    }

    fn read_index(&mut self, register: Register) -> Value {
        let value = self.read(register);
        if self.register_type(register) == Type::I32 { self.builder.ins().sextend(types::I64, value) } else { value }
    }

    fn branch(&mut self, condition: Value, then: BlockId, otherwise: BlockId) {
        let (then, otherwise) = (self.block(then), self.block(otherwise));
        self.builder.ins().brif(condition, then, &[], otherwise, &[]);
    }

    fn check_index(&mut self, index: Register, constant: i32, length: u64) {
        let index = self.read_index(index);
        let index = if constant == 0 { index } else { self.builder.ins().iadd_imm_s(index, i64::from(constant)) };
        // Unsigned, so that negative indices are out of range too.
        let fine = self.builder.ins().icmp_imm_s(IntCC::UnsignedLessThan, index, length as i64);
        self.stop_unless(fine, control::INDEX_OUT_OF_RANGE, Some(index));
    }

    /// Leaves the function with `reason` unless `fine` is not 0, noting the instruction and the index at fault.
    fn stop_unless(&mut self, fine: Value, reason: i64, index: Option<Value>) {
        let (onward, fault) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(fault);
        self.builder.ins().brif(fine, onward, &[], fault, &[]);
        self.builder.switch_to_block(fault);
        self.builder.seal_block(fault);
        let trusted = MemFlagsData::trusted();
        let instruction = self.builder.ins().iconst(types::I64, i64::from(self.instruction));
        let at = |field: usize| field as i32;
        self.builder.ins().store(trusted, instruction, self.control, at(std::mem::offset_of!(Control, fault_instruction)));
        if let Some(index) = index {
            self.builder.ins().store(trusted, index, self.control, at(std::mem::offset_of!(Control, fault_index)));
        }
        self.leave(reason);
        self.builder.switch_to_block(onward);
        self.builder.seal_block(onward);
    }

    /// Returns from the function.
    pub(super) fn leave(&mut self, reason: i64) {
        let reason = self.builder.ins().iconst(types::I64, reason);
        self.builder.ins().return_(&[reason]);
    }

    pub(super) fn call(&mut self, callee: Callee, arguments: &[Value]) -> Value {
        let number = callee as usize;
        let reference = match self.references[number] {
            Some(reference) => reference,
            None => self.module.declare_func_in_func(self.callees.0[number], self.builder.func),
        };
        self.references[number] = Some(reference);
        let call = self.builder.ins().call(reference, arguments);
        self.builder.inst_results(call)[0]
    }

    fn unary(&mut self, r#type: Type, operator: UnaryOperator, a: Value) -> Value {
        if let Some(callee) = Callee::of(operator, r#type) {
            return self.call(callee, &[a]);
        }
        let float = r#type.is_float();
        match operator {
            UnaryOperator::Negate if float => self.builder.ins().fneg(a),
            UnaryOperator::Absolute if float => self.builder.ins().fabs(a),
            UnaryOperator::SquareRoot if float => self.builder.ins().sqrt(a),
            UnaryOperator::Not if r#type == Type::Bool => self.builder.ins().bxor_imm_u(a, 1),
            UnaryOperator::Not if !float => self.builder.ins().bnot(a),
            UnaryOperator::Negate if r#type != Type::Bool => self.builder.ins().ineg(a),
            UnaryOperator::Absolute if r#type != Type::Bool => self.builder.ins().iabs(a),
            // Operators the type does not have give the operand back, as in `program::operators`.
            _ => a,
        }
    }

    pub(super) fn binary(&mut self, r#type: Type, operator: BinaryOperator, a: Value, b: Value) -> Value {
        match (operator, r#type.is_float()) {
            (BinaryOperator::Add, true) => self.builder.ins().fadd(a, b),
            (BinaryOperator::Subtract, true) => self.builder.ins().fsub(a, b),
            (BinaryOperator::Multiply, true) => self.builder.ins().fmul(a, b),
            (BinaryOperator::Divide, true) => self.builder.ins().fdiv(a, b),
            (BinaryOperator::Minimum, _) => self.first_if(r#type, Comparison::Less, a, b),
            (BinaryOperator::Maximum, _) => self.first_if(r#type, Comparison::Greater, a, b),
            (BinaryOperator::Add, false) => self.builder.ins().iadd(a, b),
            (BinaryOperator::Subtract, false) => self.builder.ins().isub(a, b),
            (BinaryOperator::Multiply, false) => self.builder.ins().imul(a, b),
            (BinaryOperator::Divide | BinaryOperator::Remainder, false) => self.floor(operator, a, b),
            (BinaryOperator::And, false) => self.builder.ins().band(a, b),
            (BinaryOperator::Or, false) => self.builder.ins().bor(a, b),
            (BinaryOperator::Xor, false) => self.builder.ins().bxor(a, b),
            (BinaryOperator::ShiftLeft, false) => self.builder.ins().ishl(a, b),
            (BinaryOperator::ShiftRight, false) => self.builder.ins().sshr(a, b),
            // The checker admits no other operator on floats.
            (_, true) => a,
        }
    }

    fn first_if(&mut self, r#type: Type, comparison: Comparison, a: Value, b: Value) -> Value {
        let condition = self.compare(r#type, comparison, a, b);
        self.builder.ins().select(condition, a, b)
    }

    /// Floor division or its remainder. The machine's division truncates, and has no answer for the least integer by -1: there
    /// the divisor is replaced by 1 and the quotient negated, which wraps; the remainder is 0 either way.
    fn floor(&mut self, operator: BinaryOperator, a: Value, b: Value) -> Value {
        let by_minus_one = self.builder.ins().icmp_imm_s(IntCC::Equal, b, -1);
        let r#type = self.builder.func.dfg.value_type(b);
        let one = self.builder.ins().iconst(r#type, 1);
        let divisor = self.builder.ins().select(by_minus_one, one, b);
        let floored = self.floor_safely(operator, a, divisor);
        if operator == BinaryOperator::Remainder {
            return floored;
        }
        let negated = self.builder.ins().ineg(a);
        self.builder.ins().select(by_minus_one, negated, floored)
    }

    /// The same where the divisor is not -1: from the truncated quotient and remainder.
    fn floor_safely(&mut self, operator: BinaryOperator, a: Value, b: Value) -> Value {
        let quotient = self.builder.ins().sdiv(a, b);
        let product = self.builder.ins().imul(quotient, b);
        let remainder = self.builder.ins().isub(a, product);
        // Too large by one where the remainder is not 0 and has the other sign than the divisor.
        let signs = self.builder.ins().bxor(remainder, b);
        let opposite = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, signs, 0);
        let inexact = self.builder.ins().icmp_imm_s(IntCC::NotEqual, remainder, 0);
        let fix = self.builder.ins().band(opposite, inexact);
        if operator == BinaryOperator::Remainder {
            let fixed = self.builder.ins().iadd(remainder, b);
            self.builder.ins().select(fix, fixed, remainder)
        } else {
            let fixed = self.builder.ins().iadd_imm_s(quotient, -1);
            self.builder.ins().select(fix, fixed, quotient)
        }
    }

    fn floor_by_constant(&mut self, r#type: Type, operator: BinaryOperator, a: Value, constant: i32) -> Value {
        let b = self.constant(r#type, i64::from(constant) as u64);
        match constant {
            0 => {
                let never = self.builder.ins().iconst(types::I8, 0);
                self.stop_unless(never, control::DIVISION_BY_ZERO, None);
                a
            }
            -1 => self.floor(operator, a, b),
            _ => self.floor_safely(operator, a, b),
        }
    }

    /// A bool: whether `a comparison b` holds.
    pub(super) fn compare(&mut self, r#type: Type, comparison: Comparison, a: Value, b: Value) -> Value {
        match r#type {
            Type::F64 | Type::F32 => self.builder.ins().fcmp(float_condition(comparison), a, b),
            Type::I64 | Type::I32 | Type::Bool => self.builder.ins().icmp(integer_condition(comparison), a, b),
        }
    }

    fn convert(&mut self, from: Type, to: Type, value: Value) -> Value {
        let target = value_type(to);
        match (from, to) {
            (Type::F64, Type::F32) => self.builder.ins().fdemote(target, value),
            (Type::F32, Type::F64) => self.builder.ins().fpromote(target, value),
            (Type::F64 | Type::F32, Type::I64 | Type::I32) => self.builder.ins().fcvt_to_sint_sat(target, value),
            (Type::F64 | Type::F32, Type::Bool) => {
                let zero = self.constant(from, 0);
                self.builder.ins().fcmp(FloatCC::NotEqual, value, zero)
            }
            (Type::I64 | Type::I32, Type::F64 | Type::F32) => self.builder.ins().fcvt_from_sint(target, value),
            (Type::Bool, Type::F64 | Type::F32) => {
                let wide = self.builder.ins().uextend(types::I64, value);
                self.builder.ins().fcvt_from_sint(target, wide)
            }
            (Type::I64, Type::I32) => self.builder.ins().ireduce(target, value),
            (Type::I32, Type::I64) => self.builder.ins().sextend(target, value),
            (Type::Bool, Type::I64 | Type::I32) => self.builder.ins().uextend(target, value),
            (Type::I64 | Type::I32, Type::Bool) => self.builder.ins().icmp_imm_s(IntCC::NotEqual, value, 0),
            (Type::I64, Type::I64)
            | (Type::I32, Type::I32)
            | (Type::F64, Type::F64)
            | (Type::F32, Type::F32)
            | (Type::Bool, Type::Bool) => value,
        }
    }

    /// `count` dependent integer subtractions: a loop of eight, then four, two and one of them as the rest needs; none where
    /// `count` is not positive.
    ///
    /// The counter is itself the chain, so there is nothing beside it that could be left out. Additions would not do: x86-64 has
    /// an instruction that does two at once.
    fn busy(&mut self, count: Register, next: BlockId) {
        let count = self.read_index(count);
        let next = self.block(next);
        let mut header = self.counting_block();
        self.builder.ins().jump(header, &[BlockArg::Value(count)]);
        for step in [8, 4, 2, 1] {
            header = self.countdown(header, step);
        }
        self.builder.switch_to_block(header);
        self.builder.ins().jump(next, &[]);
    }

    /// While the parameter of `header` is at least `step`, subtracts 1 from it `step` times. The block it goes on to has the rest
    /// as its parameter.
    fn countdown(&mut self, header: ir::Block, step: i64) -> ir::Block {
        let (body, after) = (self.builder.create_block(), self.counting_block());
        self.builder.switch_to_block(header);
        let mut count = self.builder.block_params(header)[0];
        let enough = self.builder.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, count, step);
        self.builder.ins().brif(enough, body, &[], after, &[BlockArg::Value(count)]);
        self.builder.switch_to_block(body);
        for _ in 0..step {
            let one = self.builder.ins().iconst(types::I64, 1);
            count = self.builder.ins().isub(count, one);
        }
        self.builder.ins().jump(header, &[BlockArg::Value(count)]);
        after
    }

    pub(super) fn counting_block(&mut self) -> ir::Block {
        let block = self.builder.create_block();
        self.builder.append_block_param(block, types::I64);
        block
    }
}

fn integer_condition(comparison: Comparison) -> IntCC {
    match comparison {
        Comparison::Equal => IntCC::Equal,
        Comparison::NotEqual => IntCC::NotEqual,
        Comparison::Less => IntCC::SignedLessThan,
        Comparison::LessEqual => IntCC::SignedLessThanOrEqual,
        Comparison::Greater => IntCC::SignedGreaterThan,
        Comparison::GreaterEqual => IntCC::SignedGreaterThanOrEqual,
    }
}

/// All but `NotEqual` are false where an operand is NaN.
fn float_condition(comparison: Comparison) -> FloatCC {
    match comparison {
        Comparison::Equal => FloatCC::Equal,
        Comparison::NotEqual => FloatCC::NotEqual,
        Comparison::Less => FloatCC::LessThan,
        Comparison::LessEqual => FloatCC::LessThanOrEqual,
        Comparison::Greater => FloatCC::GreaterThan,
        Comparison::GreaterEqual => FloatCC::GreaterThanOrEqual,
    }
}
