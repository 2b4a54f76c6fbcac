//! What is wrong with a system: all of it at once, each with its place, for the API and the editor alike.

mod known;

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::known::{Known, branches, gives, gives_unseen, written};
use super::condition::Operator;
use super::template::{Piece, is_name, is_path, parse};
use super::transform::{self, Transform};
use super::{
    AGENTS, ATTEMPTS, DEPTH, DESCRIPTION, LONGEST_DELAY, LONGEST_TIMEOUT, NAME, OutputFormat, ROUNDS, STEPS, Step,
    StepKind, SystemDefinition, TEMPLATE, schema, shape,
};

/// Labels of a system at most.
const TAGS: usize = 20;
/// Variables with a value from the beginning at most.
const VARIABLES: usize = 50;
/// Problems that are told at most.
const TOLD: usize = 100;

/// Something that is wrong with a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemProblem {
    /// Where, as a path into the system, such as `workflow[1].children[0].inputTemplate`.
    pub path: String,
    /// The step that it is in, if it is in one.
    pub step_id: Option<String>,
    /// What is wrong and how to mend it, in a sentence.
    pub message: String,
}

/// Everything that is wrong with a system; nothing for one that can be run.
pub fn validate(system: &SystemDefinition) -> Vec<SystemProblem> {
    let mut check = Check { system, problems: Vec::new(), ids: HashMap::new(), count: 0 };
    check.head();
    if check.measure(&system.workflow, "workflow", 1) {
        let given = system.input_schema.properties.keys().chain(system.variables.keys()).cloned();
        let known = Known { variables: given.collect(), ..Known::default() };
        check.sequence(&system.workflow, "workflow", known);
    }
    check.problems.truncate(TOLD);
    check.problems
}

struct Check<'a> {
    system: &'a SystemDefinition,
    problems: Vec<SystemProblem>,
    ids: HashMap<&'a str, String>,
    count: usize,
}

impl<'a> Check<'a> {
    fn tell(&mut self, path: impl Into<String>, step: Option<&Step>, message: impl Into<String>) {
        let step_id = step.map(|step| step.id.clone());
        self.problems.push(SystemProblem { path: path.into(), step_id, message: message.into() });
    }

    fn head(&mut self) {
        let system = self.system;
        if !names(&system.name) {
            self.tell("name", None, NAMED);
        }
        if system.description.chars().count() > DESCRIPTION {
            self.tell("description", None, format!("Use at most {DESCRIPTION} characters."));
        }
        let label =
            |text: &String| text.trim().is_empty() || text.chars().count() > NAME || text.chars().any(char::is_control);
        if system.tags.len() > TAGS || system.tags.iter().any(label) {
            self.tell("tags", None, format!("Use at most {TAGS} labels of one line and {NAME} characters."));
        }
        for (path, text) in [("category", &system.category), ("icon", &system.icon)] {
            if text.as_ref().is_some_and(label) {
                self.tell(path, None, format!("Use one line of at most {NAME} characters, or leave it out."));
            }
        }
        if system.output_schema.as_ref().is_some_and(|schema| schema.to_string().len() > TEMPLATE) {
            self.tell("outputSchema", None, format!("Use at most {TEMPLATE} characters."));
        }
        self.agents();
        self.inputs();
    }

    fn agents(&mut self) {
        let system = self.system;
        if system.agents.len() > AGENTS {
            self.tell("agents", None, format!("Use at most {AGENTS} agents."));
        }
        let mut seen = HashSet::new();
        for (place, agent) in system.agents.iter().enumerate() {
            let at = |field: &str| format!("agents[{place}].{field}");
            if !is_name(&agent.id) {
                self.tell(at("id"), None, NAMES);
            } else if !seen.insert(agent.id.as_str()) {
                self.tell(at("id"), None, format!("There are two agents called {}; give one another id.", agent.id));
            }
            if !names(&agent.name) {
                self.tell(at("name"), None, NAMED);
            }
            if agent.prompt_override.as_ref().is_some_and(|prompt| prompt.chars().count() > TEMPLATE) {
                self.tell(at("promptOverride"), None, format!("Use at most {TEMPLATE} characters."));
            }
            let model = agent.model_override.as_deref().unwrap_or("-").trim();
            if model.is_empty() || model.chars().count() > 200 || model.chars().any(char::is_control) {
                self.tell(at("modelOverride"), None, "Name a model, or leave it out.");
            }
        }
    }

    fn inputs(&mut self) {
        let schema = &self.system.input_schema;
        if schema.properties.len() > schema::FIELDS {
            self.tell("inputSchema.properties", None, format!("Use at most {} fields.", schema::FIELDS));
        }
        for (name, field) in &schema.properties {
            let path = format!("inputSchema.properties.{name}");
            if !is_name(name) || name == "steps" {
                self.tell(&path, None, NAMES);
            }
            if let Some(why) = field.problem() {
                self.tell(&path, None, format!("This field cannot be used: {why}."));
            }
        }
        for name in schema.required.iter().filter(|name| !schema.properties.contains_key(*name)) {
            self.tell("inputSchema.required", None, format!("There is no field {name}."));
        }
        let variables = &self.system.variables;
        if variables.len() > VARIABLES || variables.values().any(|value| value.to_string().len() > TEMPLATE) {
            let most = format!("Use at most {VARIABLES} variables of at most {TEMPLATE} characters.");
            self.tell("variables", None, most);
        }
        for name in variables.keys().filter(|name| !is_name(name) || *name == "steps") {
            self.tell(format!("variables.{name}"), None, NAMES);
        }
    }

    /// Counts steps, and notes where each is. Returns whether they can be looked at one by one.
    fn measure(&mut self, steps: &'a [Step], path: &str, depth: usize) -> bool {
        if depth == 1 && steps.is_empty() {
            self.tell(path, None, "Add a step.");
        }
        if depth > DEPTH {
            self.tell(path, None, format!("Steps stand more than {DEPTH} deep in one another; take some out."));
            return false;
        }
        for (place, step) in steps.iter().enumerate() {
            self.count += 1;
            if self.count > STEPS {
                self.tell("workflow", None, format!("Use at most {STEPS} steps, those within others included."));
                return false;
            }
            let own = format!("{path}[{place}]");
            if !is_name(&step.id) {
                self.tell(format!("{own}.id"), Some(step), NAMES);
            } else if let Some(other) = self.ids.insert(&step.id, own.clone()) {
                let twice = format!("{other} is called {} as well; each step needs an id of its own.", step.id);
                self.tell(format!("{own}.id"), Some(step), twice);
            }
            for (field, inner) in branches(step) {
                if !self.measure(inner, &format!("{own}.{field}"), depth + 1) {
                    return false;
                }
            }
        }
        true
    }

    fn sequence(&mut self, steps: &'a [Step], path: &str, mut known: Known) -> Known {
        for (place, step) in steps.iter().enumerate() {
            known = self.step(step, &format!("{path}[{place}]"), known);
        }
        known
    }

    /// Looks at one step, and says what is known after it.
    fn step(&mut self, step: &'a Step, path: &str, before: Known) -> Known {
        let at = |field: &str| format!("{path}.{field}");
        if !names(&step.name) {
            self.tell(at("name"), Some(step), NAMED);
        }
        self.belongings(step, path);
        self.bounds(step, path);
        let (reviewed, unseen) = (before.reviewed, before.unseen.clone());
        let known = match step.kind {
            StepKind::Agent => {
                match &step.agent_id {
                    None => self.tell(at("agentId"), Some(step), "Choose the agent that works."),
                    Some(id) if self.system.agent(id).is_none() => {
                        self.tell(at("agentId"), Some(step), format!("This system has no agent {id}; choose another."));
                    }
                    Some(_) => {}
                }
                if step.input_template.as_deref().is_none_or(|text| text.trim().is_empty()) {
                    self.tell(at("inputTemplate"), Some(step), "Write what the agent is asked.");
                }
                self.template(step, path, "inputTemplate", step.input_template.as_deref(), &before);
                before
            }
            StepKind::Transform => {
                self.transform(step, path, &before);
                before
            }
            StepKind::HumanReview => {
                self.template(step, path, "inputTemplate", step.input_template.as_deref(), &before);
                // What a person said, and what was given before, is known to what follows from it.
                let mut within = before.clone();
                within.steps.insert(step.id.clone());
                let after = self.sequence(&step.children, &at("children"), within);
                Known { reviewed: true, unseen: BTreeSet::new(), ..before.either(after) }
            }
            StepKind::Sequential => {
                self.filled(step, path);
                self.sequence(&step.children, &at("children"), before)
            }
            StepKind::Parallel => {
                self.filled(step, path);
                self.parallel(step, path, before)
            }
            StepKind::Conditional => {
                self.condition(step, path, &before);
                if step.true_branch.is_empty() && step.false_branch.is_empty() {
                    self.tell(at("trueBranch"), Some(step), "Put a step into one of its branches.");
                }
                let yes = self.sequence(&step.true_branch, &at("trueBranch"), before.clone());
                let no = self.sequence(&step.false_branch, &at("falseBranch"), before);
                yes.either(no)
            }
            StepKind::Loop => {
                self.filled(step, path);
                // A later round knows what an earlier one gave.
                let mut within = before.clone();
                gives(&step.children, &mut within);
                within.unseen.extend(written(&step.children));
                self.condition(step, path, &within);
                let after = self.sequence(&step.children, &at("children"), within);
                // It may have no round.
                Known { reviewed, unseen: after.unseen.union(&unseen).cloned().collect(), ..after }
            }
        };
        // What may be left out has approved nothing.
        let known = match step.optional {
            true => Known { reviewed, unseen: known.unseen.union(&unseen).cloned().collect(), ..known },
            false => known,
        };
        self.after(step, path, known)
    }

    fn after(&mut self, step: &Step, path: &str, mut known: Known) -> Known {
        let own = [step.output_variable.clone(), Some(format!("steps.{}", step.id))].into_iter().flatten();
        match gives_unseen(step, &known) {
            true => known.unseen.extend(own),
            false => own.for_each(|name| {
                known.unseen.remove(&name);
            }),
        }
        if let Some(name) = &step.output_variable {
            match is_name(name) && name != "steps" {
                true => drop(known.variables.insert(name.clone())),
                false => self.tell(format!("{path}.outputVariable"), Some(step), NAMES),
            }
        }
        known.steps.insert(step.id.clone());
        known
    }

    fn parallel(&mut self, step: &'a Step, path: &str, before: Known) -> Known {
        let mut writers: HashMap<String, String> = HashMap::new();
        let mut after = before.clone();
        let mut reviewed = before.reviewed;
        // What was there before, as far as no branch had it approved, and what each branch gave.
        let (mut old, mut new) = (before.unseen.clone(), BTreeSet::new());
        for (place, child) in step.children.iter().enumerate() {
            let own = format!("{path}.children[{place}]");
            // Branches know nothing of one another: which is first is not settled.
            let known = self.step(child, &own, before.clone());
            let mut given = Known::default();
            gives(std::slice::from_ref(child), &mut given);
            for name in given.variables {
                if let Some(other) = writers.insert(name.clone(), child.id.clone()) {
                    let both = format!("{other} sets {name} at the same time; give one of them another variable.");
                    self.tell(format!("{own}.outputVariable"), Some(child), both);
                }
            }
            // A branch that another one may overtake proves nothing.
            if known.reviewed && !child.optional && step.failure_policy != Some(super::FailurePolicy::Any) {
                reviewed = true;
                old.retain(|name| known.unseen.contains(name));
            }
            new.extend(written(std::slice::from_ref(child)).into_iter().filter(|name| known.unseen.contains(name)));
            after = after.either(known);
        }
        Known { reviewed, unseen: old.union(&new).cloned().collect(), ..after }
    }

    fn transform(&mut self, step: &Step, path: &str, known: &Known) {
        let Some(transform) = &step.transform else {
            return self.tell(format!("{path}.transform"), Some(step), "Say what it makes.");
        };
        let at = format!("{path}.transform");
        if let Transform::Template { template } = transform {
            self.template(step, &at, "template", Some(template), known);
        }
        if let Transform::Fields { fields } = transform
            && (fields.is_empty() || fields.len() > transform::FIELDS || !fields.keys().all(|name| is_name(name)))
        {
            self.tell(format!("{at}.fields"), Some(step), format!("Use 1 to {} fields. {NAMES}", transform::FIELDS));
        }
        for from in transform.paths() {
            self.path(step, &at, from, known);
        }
        if matches!(transform, Transform::CreateCards { .. }) && !known.reviewed {
            let first = "A person must approve before cards are made: put a human review before this step, where every way leads \
                         through it.";
            self.tell(at, Some(step), first);
        } else if let Transform::CreateCards { from } = transform
            && known.hides(from)
        {
            let later = format!(
                "`{from}` is given after a person approved, or beside it: only what was approved may become cards. Put the human review \
                 behind the step that gives it."
            );
            self.tell(format!("{at}.from"), Some(step), later);
        }
    }

    fn condition(&mut self, step: &Step, path: &str, known: &Known) {
        let at = format!("{path}.condition");
        let Some(condition) = &step.condition else {
            if step.kind == StepKind::Conditional {
                self.tell(at, Some(step), "Say on what it depends.");
            }
            return;
        };
        self.path(step, &format!("{at}.field"), &condition.field, known);
        let compares = !matches!(condition.operator, Operator::Exists | Operator::NotExists);
        if compares && condition.value.is_null() {
            self.tell(format!("{at}.value"), Some(step), "Say with what the field is compared.");
        }
        if condition.value.to_string().len() > 1_000 {
            self.tell(format!("{at}.value"), Some(step), "Compare with at most 1000 characters.");
        }
    }

    fn template(&mut self, step: &Step, path: &str, field: &str, template: Option<&str>, known: &Known) {
        let Some(template) = template else { return };
        let at = format!("{path}.{field}");
        if template.chars().count() > TEMPLATE {
            self.tell(&at, Some(step), format!("Use at most {TEMPLATE} characters."));
        }
        match parse(template) {
            Err(error) => self.tell(&at, Some(step), format!("{error}.")),
            Ok(pieces) => {
                let paths: BTreeSet<&str> = pieces
                    .iter()
                    .filter_map(|piece| if let Piece::Path(path) = piece { Some(*path) } else { None })
                    .collect();
                for used in paths {
                    self.path(step, &at, used, known);
                }
            }
        }
    }

    /// Tells of a path that leads nowhere.
    fn path(&mut self, step: &Step, at: &str, path: &str, known: &Known) {
        if !is_path(path) {
            return self.tell(at, Some(step), format!("`{path}` is no path. {NAMES}"));
        }
        let mut parts = path.split('.');
        let first = parts.next().unwrap_or_default();
        if first != "steps" {
            if !known.variables.contains(first) {
                let nobody = format!(
                    "Nothing before this step sets `{first}`: name it in the input, or as the output variable of an earlier step."
                );
                self.tell(at, Some(step), nobody);
            }
            return;
        }
        let (id, field) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if !self.ids.contains_key(id) {
            self.tell(at, Some(step), format!("There is no step `{id}`."));
        } else if !known.steps.contains(id) {
            self.tell(at, Some(step), format!("`{id}` does not come before this step."));
        } else if !["output", "error", "feedback", "status", "rounds"].contains(&field) {
            let fields = "after a step's id comes `output`, `error`, `feedback`, `status` or `rounds`";
            self.tell(at, Some(step), format!("`{path}` leads nowhere: {fields}."));
        }
    }

    fn filled(&mut self, step: &Step, path: &str) {
        if step.children.is_empty() {
            self.tell(format!("{path}.children"), Some(step), "Put a step into it.");
        }
    }

    /// Tells of fields that another kind of step has.
    fn belongings(&mut self, step: &Step, path: &str) {
        use StepKind as K;
        let kind = step.kind;
        let has: [(&str, bool, &[K]); 12] = [
            ("agentId", step.agent_id.is_some(), &[K::Agent]),
            ("inputTemplate", step.input_template.is_some(), &[K::Agent, K::HumanReview]),
            ("outputFormat", step.output_format.is_some(), &[K::Agent]),
            ("outputSchema", step.output_schema.is_some(), &[K::Agent]),
            ("mode", step.mode.is_some(), &[K::Agent]),
            ("condition", step.condition.is_some(), &[K::Conditional, K::Loop]),
            ("children", !step.children.is_empty(), &[K::Parallel, K::Sequential, K::Loop, K::HumanReview]),
            ("trueBranch", !step.true_branch.is_empty(), &[K::Conditional]),
            ("falseBranch", !step.false_branch.is_empty(), &[K::Conditional]),
            ("maxIterations", step.max_iterations.is_some(), &[K::Loop, K::HumanReview]),
            ("failurePolicy", step.failure_policy.is_some(), &[K::Parallel]),
            ("transform", step.transform.is_some(), &[K::Transform]),
        ];
        for (field, there, kinds) in has {
            if there && !kinds.contains(&kind) {
                self.tell(format!("{path}.{field}"), Some(step), format!("A step of the kind {kind} has no {field}."));
            }
        }
        if step.timeout_ms.is_some() && kind == K::HumanReview {
            let patient = "A person's review takes as long as it takes; take the time limit away.";
            self.tell(format!("{path}.timeoutMs"), Some(step), patient);
        }
        if step.retry.is_some() && !matches!(kind, K::Agent | K::Transform) {
            let only = "Only agents and transforms are tried again; put it on the step within.";
            self.tell(format!("{path}.retry"), Some(step), only);
        }
    }

    fn bounds(&mut self, step: &Step, path: &str) {
        if let Some(schema) = &step.output_schema {
            let at = format!("{path}.outputSchema");
            if let Some(why) = shape::unusable(schema) {
                self.tell(at, Some(step), why);
            } else if step.kind == StepKind::Agent && step.output_format != Some(OutputFormat::Json) {
                self.tell(at, Some(step), "Only an answer in JSON has a form: take JSON as the answer's format.");
            }
        }
        if step.kind == StepKind::Loop && step.max_iterations.is_none() {
            self.tell(
                format!("{path}.maxIterations"),
                Some(step),
                format!("Say how many rounds there are at most: 1 to {ROUNDS}."),
            );
        }
        if step.max_iterations.is_some_and(|rounds| !(1..=ROUNDS).contains(&rounds)) {
            self.tell(format!("{path}.maxIterations"), Some(step), format!("Give 1 to {ROUNDS}."));
        }
        if step.timeout_ms.is_some_and(|limit| !(1_000..=LONGEST_TIMEOUT).contains(&limit)) {
            self.tell(format!("{path}.timeoutMs"), Some(step), "Give a second to a week, in milliseconds.");
        }
        let Some(retry) = &step.retry else { return };
        if !(1..=ATTEMPTS).contains(&retry.max_attempts) {
            self.tell(format!("{path}.retry.maxAttempts"), Some(step), format!("Give 1 to {ATTEMPTS}."));
        }
        if !(0..=LONGEST_DELAY).contains(&retry.delay_ms) {
            self.tell(format!("{path}.retry.delayMs"), Some(step), "Give at most six hours, in milliseconds.");
        }
        if !(1.0..=10.0).contains(&retry.backoff_multiplier) {
            self.tell(format!("{path}.retry.backoffMultiplier"), Some(step), "Give 1 to 10.");
        }
    }
}

const NAMED: &str = "Give it a name of one line and at most 80 characters.";

/// Whether this can be shown as a name.
fn names(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= NAME && !text.chars().any(char::is_control)
}

const NAMES: &str = "Use letters, digits, `-` and `_`, at most 40, beginning with a letter; `steps` is taken.";
