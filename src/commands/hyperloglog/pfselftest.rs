//! PFSELFTEST: checks HyperLogLogs against themselves.
//!
//! Reply:   OK.
//! Errors:  TESTFAILED, with what is wrong.
//!
//! Registers written must be read back, sparse and dense must agree, and the estimate must stay within six times the
//! expected error. Redis shows ten million elements, which stops the server for seconds; we show [`ELEMENTS`].

use super::value::sparse_max;
use crate::commands::contract::{CommandError, CommandResult, DataCtx, DataHandler, Outcome};
use crate::data::hll::{self, Form, REGISTERS, Sighting, dense};
use crate::resp::args::Args;
use crate::spec::{Arity, Category, Flags, Group, Meta, Spec};

/// The declaration.
pub const SPEC: Spec<DataHandler> = Spec {
    meta: Meta {
        name: "pfselftest",
        group: Group::Hyperloglog,
        since: "2.8.9",
        arity: Arity::Exactly(1),
        flags: Flags::ADMIN,
        categories: Category::HYPERLOGLOG,
        summary: "Checks HyperLogLogs against themselves.",
        complexity: "N/A",
        ..Meta::NEW
    },
    handler: pfselftest,
};

/// Different elements shown: some tens of milliseconds.
const ELEMENTS: u64 = 1_000_000;
/// Rounds of writing and reading all registers.
const ROUNDS: usize = 20;

fn pfselftest(ctx: &mut DataCtx<'_>, _: &Args<'_>) -> CommandResult {
    check_registers(ctx)?;
    check_estimates(ctx)?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn failed(what: String) -> CommandError {
    CommandError::err(format!("TESTFAILED {what}"))
}

fn check_registers(ctx: &mut DataCtx<'_>) -> Result<(), CommandError> {
    let (mut body, mut plain) = (vec![0; dense::BODY], vec![0; REGISTERS]);
    for _ in 0..ROUNDS {
        for (register, plain) in plain.iter_mut().enumerate() {
            *plain = ctx.rng.below(64) as u8;
            dense::set(&mut body, register, *plain);
        }
        for (register, &expected) in plain.iter().enumerate() {
            let found = dense::get(&body, register);
            if found != expected {
                return Err(failed(format!("Register {register} should be {expected} but is {found}")));
            }
        }
    }
    Ok(())
}

fn check_estimates(ctx: &mut DataCtx<'_>) -> Result<(), CommandError> {
    let expected_error = 1.04 / (REGISTERS as f64).sqrt();
    let (seed, max) = (ctx.rng.next_u64(), sparse_max(ctx));
    let mut grown = hll::empty();
    let mut dense = hll::to_dense(&grown)?;
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let seen = Sighting::of(&(number ^ seed).to_le_bytes());
        hll::raise(&mut grown, seen, max)?;
        hll::raise(&mut dense, seen, max)?;
        if number != checkpoint {
            continue;
        }
        if checkpoint < max as u64 / 2 && hll::form_of(&grown) != Ok(Form::Sparse) {
            return Err(failed("sparse encoding not used".into()));
        }
        let count = hll::count(&dense)?;
        if count != hll::count(&grown)? {
            return Err(failed("dense/sparse disagree".into()));
        }
        let error = count.abs_diff(checkpoint);
        // With ten elements, two that share a register are likelier than the formula for many says.
        let error_max = if checkpoint == 10 { 1 } else { (expected_error * 6.0 * checkpoint as f64).ceil() as u64 };
        if error > error_max {
            return Err(failed(format!("Too big error. card:{checkpoint} abserr:{error}")));
        }
        checkpoint *= 10;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testkit::transcript;

    #[test]
    fn all_is_well() {
        transcript(
            "
            > PFSELFTEST
            +OK
            > PFSELFTEST x
            -ERR wrong number of arguments for 'pfselftest' command
            ",
        )
        .propagates(&[]);
    }
}
