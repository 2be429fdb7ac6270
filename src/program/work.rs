//! What an instruction is to whoever counts or times it: its class, its float operations, its bytes; and what a fault says.

use crate::base::diagnostic::Diagnostic;
use crate::program::code::{Code, Fault, FaultKind, Instruction, OperationClass, Register, SynchronisationKind};
use crate::program::tree::{BinaryOperator, Type, UnaryOperator};

impl Code {
    /// The class a core gives a cost to. A bounds or divisor check is a compare-and-branch, a jump a branch. `None` for what costs
    /// nothing of itself: [`Instruction::Busy`], whose operations are its cost, and [`Instruction::Finish`].
    pub fn class(&self, instruction: &Instruction) -> Option<OperationClass> {
        Some(match *instruction {
            Instruction::Constant { .. }
            | Instruction::Copy { .. }
            | Instruction::ShiftRightLogical { .. }
            | Instruction::Compare { .. }
            | Instruction::Select { .. } => OperationClass::Integer,
            Instruction::Unary { operator, to, .. } => unary_class(self.type_of(to), operator),
            Instruction::Binary { operator, to, .. } | Instruction::BinaryConstant { operator, to, .. } => {
                binary_class(self.type_of(to), operator)
            }
            Instruction::DivideNonNegative { .. } => OperationClass::IntegerDivide,
            // Rounded once, in the multiplier.
            Instruction::FusedMultiplyAdd { .. } => OperationClass::FloatMultiply,
            Instruction::Convert { to, from } => {
                if self.type_of(to).is_float() || self.type_of(from).is_float() {
                    OperationClass::FloatAdd
                } else {
                    OperationClass::Integer
                }
            }
            Instruction::Load { .. } => OperationClass::Load,
            Instruction::Store { .. } => OperationClass::Store,
            Instruction::Check { .. }
            | Instruction::CheckDivisor { .. }
            | Instruction::Jump { .. }
            | Instruction::Branch { .. }
            | Instruction::BranchConstant { .. } => OperationClass::Branch,
            Instruction::Synchronise { .. } => OperationClass::Atomic,
            Instruction::Busy { .. } | Instruction::Finish => return None,
        })
    }

    /// Float additions, subtractions, multiplications, divisions and roots; a fused multiply-add counts as two.
    pub fn flops(&self, instruction: &Instruction) -> u64 {
        match *instruction {
            Instruction::Unary { operator: UnaryOperator::SquareRoot, .. } => 1,
            Instruction::FusedMultiplyAdd { .. } => 2,
            Instruction::Binary { operator, to, .. } if self.type_of(to).is_float() => u64::from(matches!(
                operator,
                BinaryOperator::Add | BinaryOperator::Subtract | BinaryOperator::Multiply | BinaryOperator::Divide
            )),
            _ => 0,
        }
    }

    /// Bytes of the element that a load, a store or a synchronising operation moves.
    pub fn bytes(&self, instruction: &Instruction) -> u64 {
        let array = match *instruction {
            Instruction::Load { array, .. } | Instruction::Store { array, .. } => array,
            Instruction::Synchronise { operation, .. } => {
                let synchronisation = &self.synchronisations[operation as usize];
                if synchronisation.kind == SynchronisationKind::Fence {
                    return 0;
                }
                synchronisation.array
            }
            _ => return 0,
        };
        u64::from(self.arrays[usize::from(array)].element.size())
    }

    /// What is wrong with the program, at its place in the text.
    pub fn describe_fault(&self, fault: &Fault) -> Diagnostic {
        let site = &self.sites[fault.site as usize];
        let source = &self.texts[0];
        let (before, after) = source.text.split_at_checked(site.span.start as usize).unwrap_or((&source.text, ""));
        let by = if self.threads > 1 { format!(" (thread {})", fault.thread) } else { String::new() };
        let message = match fault.kind {
            FaultKind::DivisionByZero => format!("division by zero{by}"),
            // The checks that lowering adds at a team's size and at what a schedule deals out.
            FaultKind::IndexOutOfRange { index, .. } if before.trim_end().ends_with("parallel") => {
                format!("this team needs {} threads; the run has {}", index.saturating_add(1), self.threads)
            }
            FaultKind::IndexOutOfRange { index, length } if after.starts_with("parallel for") => {
                format!("the schedule deals out iteration {index} of a loop that has {}{by}", length.saturating_sub(1))
            }
            FaultKind::IndexOutOfRange { length: 0, .. } => format!("there is nothing to index here: the length is 0{by}"),
            FaultKind::IndexOutOfRange { index, length } => {
                format!("index {index} is out of range: valid indices are 0 to {}{by}", length - 1)
            }
        };
        Diagnostic::at(source, site.span, message)
    }

    fn type_of(&self, register: Register) -> Type {
        self.registers[usize::from(register)]
    }
}

fn unary_class(r#type: Type, operator: UnaryOperator) -> OperationClass {
    match operator {
        _ if !r#type.is_float() => OperationClass::Integer,
        UnaryOperator::Negate | UnaryOperator::Not | UnaryOperator::Absolute => OperationClass::FloatAdd,
        UnaryOperator::SquareRoot => OperationClass::SquareRoot,
        UnaryOperator::Sine | UnaryOperator::Cosine | UnaryOperator::Exponential | UnaryOperator::Logarithm => {
            OperationClass::Special
        }
    }
}

fn binary_class(r#type: Type, operator: BinaryOperator) -> OperationClass {
    match (r#type.is_float(), operator) {
        (true, BinaryOperator::Multiply) => OperationClass::FloatMultiply,
        (true, BinaryOperator::Divide) => OperationClass::FloatDivide,
        (true, _) => OperationClass::FloatAdd,
        (false, BinaryOperator::Multiply) => OperationClass::IntegerMultiply,
        (false, BinaryOperator::Divide | BinaryOperator::Remainder) => OperationClass::IntegerDivide,
        (false, _) => OperationClass::Integer,
    }
}
