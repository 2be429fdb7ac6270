//! Synchronising operations as machine code.
//!
//! Cranelift's atomic operations are sequentially consistent and for integers only. Weaker orders are had where the processor
//! gives them for nothing: a relaxed access is a plain one (no pass reorders accesses at `opt_level=none`), and on x86-64 so are an
//! acquiring load and a releasing store (Sewell et al. 2010, "x86-TSO"). Float updates are loops of compare-exchange on the bits.
//! NaNs are canonical on the way in and out, as in the interpreter's `perform`.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self, AtomicRmwOp, BlockArg, InstBuilder, MemFlagsData, Value, types};

use crate::host::compile::value_type;
use crate::host::control;
use crate::host::translate::{Callee, Translator};
use crate::program::code::{BlockId, Synchronisation, SynchronisationKind};
use crate::program::operators::canonical;
use crate::program::tree::{BinaryOperator, Comparison, Order, Type, UpdateOperation};

/// Whether plain loads acquire and plain stores release.
const TOTAL_STORE_ORDER: bool = cfg!(target_arch = "x86_64");

impl Translator<'_> {
    pub(super) fn synchronise(&mut self, operation: u32, next: BlockId) {
        let operation = self.code.synchronisations[operation as usize];
        match operation.kind {
            SynchronisationKind::Load => {
                let value = self.ordered_load(&operation);
                self.write(operation.to, value);
            }
            SynchronisationKind::Store => self.ordered_store(&operation),
            SynchronisationKind::ReadModifyWrite(update) => {
                let old = self.read_modify_write(&operation, update);
                self.write(operation.to, old);
            }
            SynchronisationKind::CompareExchange => {
                let old = self.compare_exchange(&operation);
                self.write(operation.to, old);
            }
            SynchronisationKind::Await(comparison) => {
                let value = self.wait_until(&operation, comparison);
                self.write(operation.to, value);
            }
            SynchronisationKind::Fence => {
                self.builder.ins().fence();
            }
        }
        let next = self.block(next);
        self.builder.ins().jump(next, &[]);
    }

    fn element(&self, operation: &Synchronisation) -> Type {
        self.code.arrays[operation.array as usize].element
    }

    /// The address of the operation's place, without an offset.
    fn place(&mut self, operation: &Synchronisation) -> Value {
        let (address, offset) = self.address(operation.array, operation.index, operation.constant);
        if offset == 0 { address } else { self.builder.ins().iadd_imm_s(address, i64::from(offset)) }
    }

    fn ordered_load(&mut self, operation: &Synchronisation) -> Value {
        let r#type = self.element(operation);
        let weak = operation.order == Order::Relaxed || (TOTAL_STORE_ORDER && operation.order == Order::Acquire);
        if weak {
            let (address, offset) = self.address(operation.array, operation.index, operation.constant);
            let value = self.builder.ins().load(value_type(r#type), MemFlagsData::new(), address, offset);
            return self.canonical(r#type, value);
        }
        let place = self.place(operation);
        let bits = self.builder.ins().atomic_load(bits_type(r#type), MemFlagsData::new(), place);
        let value = self.value_of(r#type, bits);
        self.canonical(r#type, value)
    }

    fn ordered_store(&mut self, operation: &Synchronisation) {
        let r#type = self.element(operation);
        let value = self.read(operation.operand);
        let value = self.canonical(r#type, value);
        let weak = operation.order == Order::Relaxed || (TOTAL_STORE_ORDER && operation.order == Order::Release);
        if weak {
            let (address, offset) = self.address(operation.array, operation.index, operation.constant);
            self.builder.ins().store(MemFlagsData::new(), value, address, offset);
            return;
        }
        let place = self.place(operation);
        let bits = self.bits_of(r#type, value);
        self.builder.ins().atomic_store(MemFlagsData::new(), bits, place);
    }

    /// The old value.
    fn read_modify_write(&mut self, operation: &Synchronisation, update: UpdateOperation) -> Value {
        let r#type = self.element(operation);
        let operand = self.read(operation.operand);
        if r#type.is_float() && update != UpdateOperation::Exchange {
            return self.update_float(operation, update, operand);
        }
        let operand = self.canonical(r#type, operand);
        let place = self.place(operation);
        let bits = self.bits_of(r#type, operand);
        let operator = match update {
            UpdateOperation::Exchange => AtomicRmwOp::Xchg,
            UpdateOperation::Add => AtomicRmwOp::Add,
            UpdateOperation::Minimum => AtomicRmwOp::Smin,
            UpdateOperation::Maximum => AtomicRmwOp::Smax,
            UpdateOperation::And => AtomicRmwOp::And,
            UpdateOperation::Or => AtomicRmwOp::Or,
            UpdateOperation::Xor => AtomicRmwOp::Xor,
        };
        let old = self.builder.ins().atomic_rmw(bits_type(r#type), MemFlagsData::new(), operator, place, bits);
        let old = self.value_of(r#type, old);
        self.canonical(r#type, old)
    }

    /// Loads, computes, and stores by compare-exchange until no other thread came between; the old value.
    fn update_float(&mut self, operation: &Synchronisation, update: UpdateOperation, operand: Value) -> Value {
        let r#type = self.element(operation);
        let operator = match update {
            UpdateOperation::Minimum => BinaryOperator::Minimum,
            UpdateOperation::Maximum => BinaryOperator::Maximum,
            _ => BinaryOperator::Add,
        };
        let place = self.place(operation);
        let (attempt, done) = (self.builder.create_block(), self.builder.create_block());
        let expected = self.builder.append_block_param(attempt, bits_type(r#type));
        let first = self.builder.ins().atomic_load(bits_type(r#type), MemFlagsData::new(), place);
        self.builder.ins().jump(attempt, &[BlockArg::Value(first)]);
        self.builder.switch_to_block(attempt);
        let old = self.value_of(r#type, expected);
        let old = self.canonical(r#type, old);
        let new = self.binary(r#type, operator, old, operand);
        let new = self.canonical(r#type, new);
        let new = self.bits_of(r#type, new);
        let found = self.builder.ins().atomic_cas(MemFlagsData::new(), place, expected, new);
        let stored = self.builder.ins().icmp(IntCC::Equal, found, expected);
        self.builder.ins().brif(stored, done, &[], attempt, &[BlockArg::Value(found)]);
        self.builder.switch_to_block(done);
        old
    }

    /// The old value.
    fn compare_exchange(&mut self, operation: &Synchronisation) -> Value {
        let r#type = self.element(operation);
        let (expected, desired) = (self.read(operation.expected), self.read(operation.operand));
        let (expected, desired) = (self.canonical(r#type, expected), self.canonical(r#type, desired));
        let (expected, desired) = (self.bits_of(r#type, expected), self.bits_of(r#type, desired));
        let place = self.place(operation);
        if r#type.is_float() {
            return self.compare_exchange_float(r#type, place, expected, desired);
        }
        self.builder.ins().atomic_cas(MemFlagsData::new(), place, expected, desired)
    }

    /// The same on the bits of a float, where any NaN in memory is as good as the canonical one: such a NaN is tried for once more
    /// with the bits it has.
    fn compare_exchange_float(&mut self, r#type: Type, place: Value, expected: Value, desired: Value) -> Value {
        let (attempt, failed, done) = (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let bits = self.builder.append_block_param(attempt, bits_type(r#type));
        self.builder.ins().jump(attempt, &[BlockArg::Value(expected)]);
        self.builder.switch_to_block(attempt);
        let found = self.builder.ins().atomic_cas(MemFlagsData::new(), place, bits, desired);
        let old = self.value_of(r#type, found);
        let old = self.canonical(r#type, old);
        let stored = self.builder.ins().icmp(IntCC::Equal, found, bits);
        self.builder.ins().brif(stored, done, &[], failed, &[]);
        self.builder.switch_to_block(failed);
        let canonical_bits = self.bits_of(r#type, old);
        let alike = self.builder.ins().icmp(IntCC::Equal, canonical_bits, expected);
        self.builder.ins().brif(alike, attempt, &[BlockArg::Value(found)], done, &[]);
        self.builder.switch_to_block(done);
        old
    }

    /// Looks at the place until the comparison holds, pausing after each failed look; the value that ended it.
    fn wait_until(&mut self, operation: &Synchronisation, comparison: Comparison) -> Value {
        let operand = self.read(operation.operand);
        let (look, pause, done) = (self.counting_block(), self.builder.create_block(), self.builder.create_block());
        let abandoned = self.builder.create_block();
        self.builder.set_cold_block(pause);
        self.builder.set_cold_block(abandoned);
        let none = self.builder.ins().iconst(types::I64, 0);
        self.builder.ins().jump(look, &[BlockArg::Value(none)]);
        self.builder.switch_to_block(look);
        let looks = self.builder.block_params(look)[0];
        let value = self.ordered_load(operation);
        let holds = self.compare(self.element(operation), comparison, value, operand);
        self.builder.ins().brif(holds, done, &[], pause, &[]);
        self.builder.switch_to_block(pause);
        let instruction = self.builder.ins().iconst(types::I64, i64::from(self.instruction));
        let given_up = self.call(Callee::Wait, &[self.control, looks, instruction]);
        let looks = self.builder.ins().iadd_imm_s(looks, 1);
        self.builder.ins().brif(given_up, abandoned, &[], look, &[BlockArg::Value(looks)]);
        self.builder.switch_to_block(abandoned);
        self.leave(control::ABANDONED);
        self.builder.switch_to_block(done);
        value
    }

    /// The value with any NaN replaced by the canonical one, as its bits are about to be seen.
    fn canonical(&mut self, r#type: Type, value: Value) -> Value {
        if !r#type.is_float() {
            return value;
        }
        let nan = match r#type {
            Type::F32 => canonical(r#type, u64::from(f32::NAN.to_bits())),
            _ => canonical(r#type, f64::NAN.to_bits()),
        };
        let nan = self.constant(r#type, nan);
        let unordered = self.builder.ins().fcmp(FloatCC::Unordered, value, value);
        self.builder.ins().select(unordered, nan, value)
    }

    fn bits_of(&mut self, r#type: Type, value: Value) -> Value {
        if r#type.is_float() { self.builder.ins().bitcast(bits_type(r#type), MemFlagsData::new(), value) } else { value }
    }

    fn value_of(&mut self, r#type: Type, bits: Value) -> Value {
        if r#type.is_float() { self.builder.ins().bitcast(value_type(r#type), MemFlagsData::new(), bits) } else { bits }
    }
}

/// The integer type of an element's bits.
fn bits_type(r#type: Type) -> ir::Type {
    match r#type {
        Type::F64 => types::I64,
        Type::F32 => types::I32,
        _ => value_type(r#type),
    }
}
