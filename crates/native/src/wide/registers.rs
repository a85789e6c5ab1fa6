//! Which value is in which register. Loops are straight-line, so the next use of every value is known: when registers run
//! out, the value whose next use is farthest goes to the stack.

use super::interleaved::Interleaved;
use super::{Loop, Operand};
use wengert_kernel::DType;

/// A kind of registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// Vectors of elements.
    Vector,
    /// A bit for each lane: values of `bool`, where there are such registers.
    Mask,
}

/// What has to be done so that a register is free.
pub(super) struct Spill {
    pub register: u8,
    pub class: Class,
    pub slot: usize,
}

/// Where a value is.
#[derive(Clone, Copy, Default)]
struct Home {
    register: Option<u8>,
    slot: Option<usize>,
}

/// The registers of one run through the steps.
pub(super) struct Registers {
    /// By step: its class and when its value is needed, the last time first.
    uses: Vec<(Class, Vec<usize>)>,
    homes: Vec<Home>,
    free: [Vec<u8>; 2],
    /// Values in registers, and registers that the step at hand may not lose.
    held: Vec<u32>,
    /// Values that have a slot.
    spilled: Vec<u32>,
    locked: Vec<(Class, u8)>,
    temporaries: Vec<(Class, u8)>,
    free_slots: Vec<usize>,
    /// Slots of the stack so far.
    pub slots: usize,
}

impl Registers {
    /// All registers of both classes are free.
    pub fn new(
        Interleaved { steps, items }: &Interleaved,
        class: fn(DType) -> Class,
        registers: [&[u8]; 2],
        slots: usize,
    ) -> Self {
        let mut uses: Vec<(Class, Vec<usize>)> =
            steps.iter().map(|(s, _)| (class(s.defined().unwrap_or(DType::F64)), Vec::new())).collect();
        for (after, &(_, _, item)) in items.iter().enumerate().rev() {
            if let Operand::Step(k) = item {
                uses[k as usize].1.push(steps.len() + after);
            }
        }
        for (time, (step, _)) in steps.iter().enumerate().rev() {
            for k in step.uses() {
                uses[k as usize].1.push(time);
            }
        }
        Registers {
            homes: vec![Home::default(); uses.len()],
            uses,
            free: registers.map(|all| all.iter().rev().copied().collect()),
            held: Vec::new(),
            spilled: Vec::new(),
            locked: Vec::new(),
            temporaries: Vec::new(),
            free_slots: (0..slots).collect(),
            slots,
        }
    }

    /// The kind of a value.
    pub fn class(&self, value: u32) -> Class {
        self.uses[value as usize].0
    }

    /// The register of a value, if it is in one; it stays there until the step's end.
    pub fn find(&mut self, value: u32) -> Option<u8> {
        let register = self.homes[value as usize].register?;
        self.locked.push((self.uses[value as usize].0, register));
        Some(register)
    }

    /// The stack slot of a value that is in no register.
    pub fn slot(&self, value: u32) -> usize {
        self.homes[value as usize].slot.unwrap_or_else(|| unreachable!("value {value} is nowhere"))
    }

    /// Gives a value a register that is free.
    pub fn bind(&mut self, value: u32, register: u8) {
        self.homes[value as usize].register = Some(register);
        self.held.push(value);
        self.locked.push((self.uses[value as usize].0, register));
    }

    /// A register for the step at hand, and what is to be saved first.
    pub fn take(&mut self, class: Class, now: usize) -> (u8, Option<Spill>) {
        if let Some(register) = self.free[class as usize].pop() {
            return (register, None);
        }
        let locked = &self.locked;
        let (at, &victim) = self
            .held
            .iter()
            .enumerate()
            .filter(|(_, v)| {
                let register = self.homes[**v as usize].register.unwrap_or(u8::MAX);
                self.uses[**v as usize].0 == class && !locked.contains(&(class, register))
            })
            .max_by_key(|(_, v)| self.uses[**v as usize].1.iter().rev().find(|&&t| t >= now).copied().unwrap_or(0))
            .unwrap_or_else(|| unreachable!("a step needs more registers than there are"));
        self.held.swap_remove(at);
        let home = &mut self.homes[victim as usize];
        let register = home.register.take().unwrap_or_else(|| unreachable!("a value that is held has a register"));
        if home.slot.is_some() {
            return (register, None);
        }
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        home.slot = Some(slot);
        self.spilled.push(victim);
        (register, Some(Spill { register, class, slot }))
    }

    /// A register that is free again after the step.
    pub fn lend(&mut self, class: Class, register: u8) {
        self.locked.push((class, register));
        self.temporaries.push((class, register));
    }

    /// A register that was lent is free already.
    pub fn release(&mut self, class: Class, register: u8) {
        self.locked.retain(|&all| all != (class, register));
        self.temporaries.retain(|&all| all != (class, register));
        self.free[class as usize].push(register);
    }

    /// The register of a value that is not needed after now, to be overwritten.
    pub fn inherit(&mut self, value: u32, now: usize) -> Option<u8> {
        let (class, times) = &self.uses[value as usize];
        let register = self.homes[value as usize].register?;
        if times.first().is_some_and(|&last| last > now) || self.temporaries.contains(&(*class, register)) {
            return None;
        }
        self.homes[value as usize].register = None;
        self.held.retain(|&v| v != value);
        Some(register)
    }

    /// After a step: what is no longer needed is free.
    pub fn end_step(&mut self, now: usize) {
        for (class, register) in self.temporaries.drain(..) {
            self.free[class as usize].push(register);
        }
        self.locked.clear();
        let (uses, homes, free) = (&self.uses, &mut self.homes, &mut self.free);
        let free_slots = &mut self.free_slots;
        self.held.retain(|&v| {
            let (class, times) = &uses[v as usize];
            let needed = times.first().is_some_and(|&last| last > now);
            if !needed && let Some(register) = homes[v as usize].register.take() {
                free[*class as usize].push(register);
            }
            needed
        });
        self.spilled.retain(|&v| {
            let needed = uses[v as usize].1.first().is_some_and(|&last| last > now);
            if !needed {
                free_slots.extend(homes[v as usize].slot.take());
            }
            needed
        });
    }
}

/// How many vectors are alive at once, at most.
pub(super) fn pressure(wide: &Loop, class: fn(DType) -> Class) -> usize {
    let mut last = vec![0; wide.steps.len()];
    for (time, step) in wide.steps.iter().enumerate() {
        step.uses().iter().for_each(|&k| last[k as usize] = time);
    }
    for &(_, _, item, _) in &wide.folds {
        if let Operand::Step(k) = item {
            last[k as usize] = wide.steps.len();
        }
    }
    let mut ends = vec![0usize; wide.steps.len() + 1];
    let (mut alive, mut most) = (0usize, 0);
    for (time, step) in wide.steps.iter().enumerate() {
        if step.defined().is_some_and(|dtype| class(dtype) == Class::Vector) {
            alive += 1;
            ends[last[time]] += 1;
        }
        most = most.max(alive);
        alive -= ends[time];
    }
    most
}
