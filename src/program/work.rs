//! What an instruction is to whoever counts or times it: its class, its float operations, its bytes; and what a fault says.

use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::code::{Code, Fault, FaultKind, Instruction, OperationClass, Register, SynchronisationKind};
use crate::program::tree::{BinaryOperator, Direction, Type, UnaryOperator};

impl Code {
    /// The class a core gives a cost to. A bounds or divisor check is a compare-and-branch, a jump a branch. `None` for what costs
    /// nothing of itself: [`Instruction::Busy`], whose operations are its cost, [`Instruction::Message`], whose cost is the network
    /// interface's, and [`Instruction::Finish`].
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
            Instruction::Message { .. } | Instruction::Busy { .. } | Instruction::Finish => return None,
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
        let by = match (self.ranks > 1, self.threads > 1) {
            (false, false) => String::new(),
            (false, true) => format!(" (thread {})", fault.thread),
            (true, false) => format!(" (rank {})", fault.rank),
            (true, true) => format!(" (rank {}, thread {})", fault.rank, fault.thread),
        };
        let message = self.describe_message(&fault.kind, &by).unwrap_or_else(|| match fault.kind {
            // The check that lowering adds at the end of a message.
            FaultKind::IndexOutOfRange { index, .. } if index < 0 && is_part(&source.text, site.span) => {
                format!("this part of the array ends {} before it begins{by}", index.unsigned_abs())
            }
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
            _ => format!("division by zero{by}"),
        });
        self.at_both_ends(Diagnostic::at(source, site.span, message), &fault.kind)
    }

    /// What is wrong with a message, and nothing else.
    fn describe_message(&self, kind: &FaultKind, by: &str) -> Option<String> {
        Some(match *kind {
            FaultKind::NoSuchRank { rank, ranks: 1 } => format!("there is no rank {rank}: the run has rank 0 alone{by}"),
            FaultKind::NoSuchRank { rank, ranks } => format!("there is no rank {rank}: the run has ranks 0 to {}{by}", ranks - 1),
            FaultKind::NegativeTag(tag) => format!("a tag is at least 0, and this is {tag}{by}"),
            FaultKind::MessageLengths { sent, received, other } => {
                let line = self.sites[other as usize].line;
                format!("{} sent, and {received} to be received: the other end is in line {line}{by}", elements(sent))
            }
            FaultKind::MessageTypes { sent, received, other } => {
                let line = self.sites[other as usize].line;
                let (sent, received) = (sent.name(), received.name());
                format!("{sent} is sent, and {received} to be received: the other end is in line {line}{by}")
            }
            FaultKind::TooManyMessages(limit) => format!("more than {limit} messages are under way at a time{by}"),
            FaultKind::NotWaitedFor(Direction::Send) => format!("the run ends, and nothing has waited for this to be sent{by}"),
            FaultKind::NotWaitedFor(Direction::Receive) => {
                format!("the run ends, and nothing has waited for this to be received{by}")
            }
            FaultKind::NothingToWaitFor => format!("this was waited for before{by}"),
            FaultKind::NoInterface => "this machine has no network interface, so that nothing can be sent or received".to_string(),
            FaultKind::IndexOutOfRange { .. } | FaultKind::DivisionByZero => return None,
        })
    }

    /// Points at the other end of a message, too.
    fn at_both_ends(&self, diagnostic: Diagnostic, kind: &FaultKind) -> Diagnostic {
        match *kind {
            FaultKind::MessageLengths { other, .. } | FaultKind::MessageTypes { other, .. } => {
                diagnostic.related(self.sites[other as usize].span, "the other end")
            }
            FaultKind::NotWaitedFor(_) => diagnostic.help("write `wait all`, or keep it, `let h = start ...`, and `wait h`"),
            _ => diagnostic,
        }
    }

    fn type_of(&self, register: Register) -> Type {
        self.registers[usize::from(register)]
    }
}

/// Whether a place is a part of an array.
fn is_part(text: &str, span: Span) -> bool {
    text.get(span.start as usize..span.end as usize).is_some_and(|part| part.contains('[') && part.contains(".."))
}

fn elements(count: u64) -> String {
    if count == 1 { "1 element is".into() } else { format!("{count} elements are") }
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
