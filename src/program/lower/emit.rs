//! Emitting instructions: registers, constants, folding of what is known, and the ends of blocks.

use super::graph::{Exit, Graph, Induction, Located, Operand, Runners};
use super::{Failure, Lowering};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::code::{BlockId, ConstantId, Instruction, Message, Register, SiteId, Synchronisation, ZERO};
use crate::program::operators;
use crate::program::tree::{BinaryOperator, Comparison, Type, UnaryOperator, Value};

/// The most instructions a program may grow to.
pub(super) const INSTRUCTION_LIMIT: usize = 1 << 18;
/// The most that blocks times registers of one graph may come to: the passes keep a bit for each.
const LIVENESS_LIMIT: usize = 1 << 30;
/// The most virtual registers one graph may have.
const REGISTER_LIMIT: usize = 1 << 16;

/// A graph and where in it instructions go.
#[derive(Debug)]
pub(super) struct Emitter {
    pub graph: Graph,
    pub block: BlockId,
    /// Registers of variables that are assigned more than once: others may not stand for them.
    mutable: Vec<bool>,
    /// More registers were asked for than there are numbers.
    pub exhausted: bool,
}

impl Emitter {
    pub fn new(runners: Runners) -> Emitter {
        Emitter { graph: Graph::new(runners), block: 0, mutable: Vec::new(), exhausted: false }
    }
}

impl Operand {
    /// A constant as register bits.
    pub(super) fn of(value: Value) -> Operand {
        Operand::Constant(value.bits())
    }

    pub(super) fn integer(value: i64) -> Operand {
        Operand::Constant(value as u64)
    }

    /// The integer, where it is known.
    pub(super) fn known(self) -> Option<i64> {
        match self {
            Operand::Constant(bits) => Some(bits as i64),
            Operand::Register(_) => None,
        }
    }
}

impl Lowering<'_> {
    /// A register that nothing has used.
    pub(super) fn fresh(&mut self, r#type: Type) -> Register {
        let registers = &mut self.emitter.graph.registers;
        if registers.len() >= REGISTER_LIMIT {
            self.emitter.exhausted = true;
            return Register::MAX;
        }
        registers.push(r#type);
        (registers.len() - 1) as Register
    }

    /// A register for a variable that is assigned more than once.
    pub(super) fn fresh_variable(&mut self, r#type: Type) -> Register {
        let register = self.fresh(r#type);
        let mutable = &mut self.emitter.mutable;
        mutable.resize(mutable.len().max(usize::from(register) + 1), false);
        mutable[usize::from(register)] = true;
        register
    }

    /// Whether an operand keeps its value for as long as anything refers to it.
    pub(super) fn is_stable(&self, operand: Operand) -> bool {
        match operand {
            Operand::Constant(_) => true,
            Operand::Register(register) => !self.emitter.mutable.get(usize::from(register)).copied().unwrap_or(false),
        }
    }

    /// The same value in a register that nothing assigns later, or the constant.
    pub(super) fn stable(&mut self, operand: Operand, r#type: Type) -> Operand {
        if self.is_stable(operand) {
            return operand;
        }
        let to = self.fresh(r#type);
        self.copy_into(to, operand);
        Operand::Register(to)
    }

    pub(super) fn type_of(&self, register: Register) -> Type {
        self.emitter.graph.registers[usize::from(register)]
    }

    pub(super) fn emit(&mut self, instruction: Instruction) {
        let located = Located { instruction, site: self.site };
        self.emitter.graph.blocks[self.emitter.block as usize].instructions.push(located);
        self.n_instructions += 1;
    }

    /// Fails where the program has grown beyond what Code can hold.
    pub(super) fn check_size(&self, span: Span) -> Result<(), Failure> {
        let what = if self.n_instructions > INSTRUCTION_LIMIT {
            format!("{INSTRUCTION_LIMIT} instructions")
        } else if self.emitter.exhausted {
            format!("{REGISTER_LIMIT} registers in one part")
        } else if self.emitter.graph.blocks.len() * self.emitter.graph.registers.len() > LIVENESS_LIMIT {
            format!("{} blocks in one part", self.emitter.graph.blocks.len())
        } else {
            return Ok(());
        };
        let message = format!("the program is too long: with functions in place of their calls it has more than {what}");
        let diagnostic = Diagnostic::at(self.source(), span, message);
        Err(vec![diagnostic.help("let a loop do what is written many times in a row")])
    }

    pub(super) fn new_block(&mut self) -> BlockId {
        self.n_instructions += 1;
        self.emitter.graph.add_block()
    }

    /// Ends the current block.
    pub(super) fn end(&mut self, exit: Exit) {
        let site: SiteId = self.site;
        let block = &mut self.emitter.graph.blocks[self.emitter.block as usize];
        debug_assert_eq!(block.exit, Exit::Open, "a block ends once");
        block.exit = exit;
        block.site = site;
    }

    /// Goes on in another block.
    pub(super) fn start(&mut self, block: BlockId) {
        self.emitter.block = block;
    }

    /// Ends the current block with a jump, and goes on there.
    pub(super) fn jump_and_start(&mut self, block: BlockId) {
        self.end(Exit::Jump(block));
        self.start(block);
    }

    /// Ends the current block with a synchronising operation.
    pub(super) fn synchronise(&mut self, operation: Synchronisation) {
        let next = self.new_block();
        self.end(Exit::Synchronise { operation, next });
        self.start(next);
    }

    /// Ends the current block with an operation on messages.
    pub(super) fn message(&mut self, message: Message) {
        let next = self.new_block();
        self.end(Exit::Message { message, next });
        self.start(next);
    }

    pub(super) fn constant_id(&mut self, bits: u64) -> ConstantId {
        self.constants.insert_full(bits).0 as ConstantId
    }

    /// The register that holds an operand: for a constant a new one.
    pub(super) fn register(&mut self, operand: Operand, r#type: Type) -> Register {
        match operand {
            Operand::Register(register) => register,
            Operand::Constant(0) if r#type == Type::I64 => ZERO,
            Operand::Constant(bits) => {
                let to = self.fresh(r#type);
                let value = self.constant_id(bits);
                self.emit(Instruction::Constant { to, value });
                to
            }
        }
    }

    /// Puts an operand into a register, unless it is there.
    pub(super) fn copy_into(&mut self, to: Register, operand: Operand) {
        match operand {
            Operand::Register(from) if from == to => {}
            Operand::Register(from) => self.emit(Instruction::Copy { to, from }),
            Operand::Constant(bits) => {
                let value = self.constant_id(bits);
                self.emit(Instruction::Constant { to, value });
            }
        }
    }

    fn target(&mut self, to: Option<Register>, r#type: Type) -> Register {
        to.unwrap_or_else(|| self.fresh(r#type))
    }

    /// `operator a`. The register asked for is used only by the last instruction, so it may be among the operands; where the
    /// result is known it is not used at all. So in all that follow.
    pub(super) fn unary(&mut self, r#type: Type, operator: UnaryOperator, a: Operand, to: Option<Register>) -> Operand {
        match a {
            Operand::Constant(bits) => Operand::Constant(operators::unary(r#type, operator, bits)),
            Operand::Register(a) => {
                let to = self.target(to, r#type);
                self.emit(Instruction::Unary { operator, to, a });
                Operand::Register(to)
            }
        }
    }

    /// `a operator b` in a type, with a check of the divisor where there has to be one.
    pub(super) fn binary(
        &mut self,
        r#type: Type,
        operator: BinaryOperator,
        a: Operand,
        b: Operand,
        to: Option<Register>,
    ) -> Operand {
        if let (Operand::Constant(x), Operand::Constant(y)) = (a, b)
            && let Some(bits) = operators::binary(r#type, operator, x, y)
        {
            return Operand::Constant(bits);
        }
        let (a, b) = if commutes(operator) && matches!(a, Operand::Constant(_)) && !r#type.is_float() { (b, a) } else { (a, b) };
        if matches!(r#type, Type::I64 | Type::I32)
            && let (Operand::Register(register), Some(constant)) = (a, b.known())
            && let Some(result) = self.binary_constant(r#type, operator, register, constant, to)
        {
            return result;
        }
        let count_type = if is_shift(operator) { Type::I64 } else { r#type };
        let (a, b) = (self.register(a, r#type), self.register(b, count_type));
        if !r#type.is_float() && matches!(operator, BinaryOperator::Divide | BinaryOperator::Remainder) {
            self.emit(Instruction::CheckDivisor { divisor: b });
        }
        let to = self.target(to, r#type);
        self.emit(Instruction::Binary { operator, to, a, b });
        Operand::Register(to)
    }

    /// `a operator constant` on integers: by identities, as something cheaper, or with the constant in the instruction.
    fn binary_constant(
        &mut self,
        r#type: Type,
        operator: BinaryOperator,
        a: Register,
        constant: i64,
        to: Option<Register>,
    ) -> Option<Operand> {
        use BinaryOperator as B;
        let power = (constant > 0 && (constant as u64).is_power_of_two()).then(|| i64::from(constant.trailing_zeros()));
        let (operator, constant) = match (operator, constant, power) {
            (B::Add | B::Subtract | B::Or | B::Xor | B::ShiftLeft | B::ShiftRight, 0, _) | (B::Multiply | B::Divide, 1, _) => {
                return Some(Operand::Register(a));
            }
            (B::Multiply, 0, _) | (B::Remainder, 1, _) => return Some(Operand::integer(0)),
            (B::Divide | B::Remainder, 0, _) => return None,
            (B::Subtract, _, _) => (B::Add, constant.wrapping_neg()),
            // Rounding towards minus infinity is what an arithmetic shift does, and the mask is the remainder that goes with it.
            (B::Multiply, _, Some(power)) => (B::ShiftLeft, power),
            (B::Divide, _, Some(power)) => (B::ShiftRight, power),
            (B::Remainder, _, Some(_)) => (B::And, constant - 1),
            _ => (operator, constant),
        };
        let constant = i32::try_from(constant).ok()?;
        let to = self.target(to, r#type);
        self.emit(Instruction::BinaryConstant { operator, to, a, constant });
        Some(Operand::Register(to))
    }

    pub(super) fn compare(
        &mut self,
        r#type: Type,
        comparison: Comparison,
        a: Operand,
        b: Operand,
        to: Option<Register>,
    ) -> Operand {
        if let (Operand::Constant(a), Operand::Constant(b)) = (a, b) {
            return Operand::Constant(u64::from(operators::compare(r#type, comparison, a, b)));
        }
        let (a, b) = (self.register(a, r#type), self.register(b, r#type));
        let to = self.target(to, Type::Bool);
        self.emit(Instruction::Compare { comparison, to, a, b });
        Operand::Register(to)
    }

    pub(super) fn convert(&mut self, from_type: Type, to_type: Type, from: Operand, to: Option<Register>) -> Operand {
        match from {
            _ if from_type == to_type => from,
            Operand::Constant(bits) => Operand::Constant(operators::convert(from_type, to_type, bits)),
            Operand::Register(from) => {
                let to = self.target(to, to_type);
                self.emit(Instruction::Convert { to, from });
                Operand::Register(to)
            }
        }
    }

    pub(super) fn fused_multiply_add(&mut self, r#type: Type, [a, b, c]: [Operand; 3], to: Option<Register>) -> Operand {
        if let (Operand::Constant(a), Operand::Constant(b), Operand::Constant(c)) = (a, b, c) {
            return Operand::Constant(operators::fused_multiply_add(r#type, a, b, c));
        }
        let [a, b, c] = [a, b, c].map(|operand| self.register(operand, r#type));
        let to = self.target(to, r#type);
        self.emit(Instruction::FusedMultiplyAdd { to, a, b, c });
        Operand::Register(to)
    }

    /// Ends the block with a comparison of two operands; known ones leave a jump.
    pub(super) fn branch_on(
        &mut self,
        r#type: Type,
        comparison: Comparison,
        [a, b]: [Operand; 2],
        then: BlockId,
        otherwise: BlockId,
    ) {
        if let (Operand::Constant(a), Operand::Constant(b)) = (a, b) {
            let to = if operators::compare(r#type, comparison, a, b) { then } else { otherwise };
            return self.end(Exit::Jump(to));
        }
        let (comparison, a, b) = match a {
            Operand::Constant(_) => (swapped(comparison), b, a),
            Operand::Register(_) => (comparison, a, b),
        };
        let small = if r#type.is_float() { None } else { b.known().and_then(|bits| i16::try_from(bits).ok()) };
        let a = self.register(a, r#type);
        let exit = match small {
            Some(constant) => Exit::BranchConstant { comparison, a, constant, then, otherwise },
            None => Exit::Branch { comparison, a, b: self.register(b, r#type), then, otherwise },
        };
        self.end(exit);
    }

    /// `for variable in low..high by step`, rotated: a guard, then a body that ends in the test whether to repeat it.
    ///
    /// ```text
    ///   guard ─▶ preheader ─▶ body ... step ─▶ after
    ///     │                    ▲         │       ▲
    ///     │                    └─────────┘       │
    ///     └──────────────────────────────────────┘
    /// ```
    pub(super) fn counted_loop(
        &mut self,
        [low, high]: [Operand; 2],
        step: i64,
        body: impl FnOnce(&mut Self, Register) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let comparison = if step > 0 { Comparison::Less } else { Comparison::Greater };
        let high = self.stable(high, Type::I64);
        let [preheader, first, after] = [self.new_block(), self.new_block(), self.new_block()];
        self.branch_on(Type::I64, comparison, [low, high], preheader, after);
        self.start(preheader);
        let variable = self.fresh(Type::I64);
        self.copy_into(variable, low);
        let limit = self.loop_limit(high);
        self.end(Exit::Jump(first));
        self.start(first);
        self.emitter.graph.blocks[first as usize].induction = Some(Induction { variable, limit, step });
        let site = self.site;
        body(self, variable)?;
        self.site = site;
        self.binary(Type::I64, BinaryOperator::Add, Operand::Register(variable), Operand::integer(step), Some(variable));
        self.branch_on(Type::I64, comparison, [Operand::Register(variable), limit], first, after);
        self.start(after);
        Ok(())
    }

    /// A limit that does not fit into the branch is put into a register once.
    fn loop_limit(&mut self, high: Operand) -> Operand {
        match high.known() {
            Some(value) if i16::try_from(value).is_err() => Operand::Register(self.register(high, Type::I64)),
            _ => high,
        }
    }
}

fn is_shift(operator: BinaryOperator) -> bool {
    matches!(operator, BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight)
}

fn commutes(operator: BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(operator, B::Add | B::Multiply | B::Minimum | B::Maximum | B::And | B::Or | B::Xor)
}

/// The comparison that holds of `(b, a)` where this one holds of `(a, b)`.
fn swapped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessEqual => Comparison::GreaterEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterEqual => Comparison::LessEqual,
        Comparison::Equal | Comparison::NotEqual => comparison,
    }
}
