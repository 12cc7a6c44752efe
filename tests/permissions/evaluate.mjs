// Decides IAM requests with @cloud-copilot/iam-simulate. One process decides a whole batch.
//
// stdin:  {"policies": {id: {"kind": "identity" | "resource" | "trust", "document": …}},
//          "situations": [{"principal", "resource", "account", "context", "identity": [id], "resource_policy": id or null}],
//          "actions": [name], "requests": [[number of the request's situation, number of its action]]}
// stdout: ["Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied"], in the order of the requests. If a request or policy
//         cannot be evaluated, the whole batch fails. Such a request never counts as denied.
//
// Requests to which the same statements apply are one question, and the question is decided once. With "one_by_one": true,
// every request is decided separately.
//
// With "mutants", the output tells for each mutant whether the decision on at least one request is not the expected one:
//         {"mutants": [{"policy": id, "kind", "document", "before": statement or null, "after": statement or null}],
//          "expected": [whether the request must be allowed]}
// "document" replaces the policy. It differs from the policy in one statement: "before" without the mistake, "after" with
// the mistake.
//
// The program can decide every action, also one that the simulator's own data does not contain. The simulator compares
// the action's name with the names and patterns in the policies.

import {
  createValidatedPolicy,
  validateIdentityPolicy,
  validateResourcePolicy,
  validateTrustPolicy,
} from '@cloud-copilot/iam-policy'
import { runUnsafeSimulation } from '@cloud-copilot/iam-simulate'

// iam-simulate compares strings with localeCompare, which takes half of the run time. IAM's strings are ASCII, so a plain
// comparison is enough.
String.prototype.localeCompare = function (other) {
  const [left, right] = [this.toLowerCase(), other.toLowerCase()]
  return left === right ? 0 : left < right ? -1 : 1
}

const VALIDATE = { identity: validateIdentityPolicy, resource: validateResourcePolicy, trust: validateTrustPolicy }

function validated(id, { kind, document }) {
  const policy = createValidatedPolicy(document, VALIDATE[kind], { name: id })
  if (policy.errors.length) throw new Error(`${id}: ${JSON.stringify(policy.errors)}`)
  return policy
}

// runSimulation, the variant with checks, drops encryption contexts. It refuses the ARN of a function version, because the
// ARN might name an alias. It also refuses actions that its data does not contain. Other checks replace the ones of
// runSimulation: validated() checks the policies, and the tests check the list of actions (actions.py).
function decide(situation, action, policies) {
  return runUnsafeSimulation(
    {
      request: {
        principal: situation.principal,
        action,
        resource: { resource: situation.resource, accountId: situation.account },
        contextVariables: situation.context,
      },
      identityPolicies: situation.identity.map((id) => ({ name: id, policy: policies[id] })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: situation.resource_policy ? policies[situation.resource_policy] : undefined,
    },
    {},
  )
}

function cached(make) {
  const known = new Map()
  return (key, ...more) => {
    if (!known.has(key)) known.set(key, make(key, ...more))
    return known.get(key)
  }
}

const PROBE = { principal: 'arn:aws:iam::123456789012:role/probe', resource: 'arn:aws:probe:::probe', context: {} }
const listed = (value) => (Array.isArray(value) ? value : [value])

// Whether a pattern in a statement's Action or NotAction matches an action. The simulator decides the action with a policy
// that allows the pattern on every resource.
const names = cached((pattern) =>
  cached((action) => {
    const probe = validated(pattern, {
      kind: 'identity',
      document: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: pattern, Resource: '*' }] },
    })
    const situation = { ...PROBE, account: '123456789012', identity: ['probe'], resource_policy: null }
    return decide(situation, action, { probe }) === 'Allowed'
  }),
)

function isNamed(action, statement) {
  const { Action, NotAction } = statement
  if (!Action === !NotAction) throw new Error(`a statement with neither or both of Action and NotAction: ${JSON.stringify(statement)}`)
  const service = action.slice(0, action.indexOf(':') + 1)
  const isListed = listed(Action ?? NotAction).some((p) => (p === '*' || p.startsWith(service)) && names(p)(action))
  return Action ? isListed : !isListed
}

// A statement of a trust policy has no Resource, because the statement applies to the policy's role.
function isOfStatement(resource, statement) {
  return listed(statement.Resource ?? '*').some((pattern) => resourcePattern(pattern).test(resource))
}

const resourcePattern = cached((pattern) => {
  const literal = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i')
})

// iam-simulate treats three kinds of requests specially: GetCallerIdentity, some IAM actions on resources that belong to AWS,
// and some KMS actions on aliases of AWS.
function isSpecial(action, resource) {
  return action.toLowerCase() === 'sts:getcalleridentity' || /^arn:aws:iam::aws:|:role\/aws-reserved\/|:alias\/aws\//.test(resource)
}

// Whether one condition holds for a value of its context key, or without the key. The simulator decides it with a policy that
// has only this condition.
const holds = cached((condition) => {
  const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*', Condition: JSON.parse(condition) }] }
  const probe = validated('conditions', { kind: 'identity', document })
  return cached((context) => {
    const situation = { ...PROBE, account: '123456789012', identity: ['probe'], resource_policy: null, context: JSON.parse(context) }
    return decide(situation, 's3:GetObject', { probe }) === 'Allowed'
  })
})

// The situations and actions to which a statement applies. The element Principal is not considered.
function application(statement) {
  const conditions = Object.entries(statement.Condition ?? {}).flatMap(([operator, byKey]) =>
    Object.entries(byKey).map(([key, values]) => [key, holds(JSON.stringify({ [operator]: { [key]: values } }))]),
  )
  const isOn = cached((resource) => isOfStatement(resource, statement))
  const inSituation = ({ context, resource }) =>
    isOn(resource) && conditions.every(([key, hold]) => hold(JSON.stringify(key in context ? { [key]: context[key] } : {})))
  return { inSituation, names: cached((action) => isNamed(action, statement)) }
}

// Whether a statement names a principal that is not a whole account.
function namesPrincipals({ Principal }) {
  return !/^(\*|arn:aws:iam::\d{12}:root)$/.test(Principal?.AWS ?? Principal ?? '*')
}

// For each request, the number of its question. Requests that are the same question get the same number. They have the same
// decision, because the following is the same:
// - the service,
// - the statements that apply: their actions, resources and conditions match the request,
// - the accounts of the principal and of the resource, and the principal if one of these statements names principals.
function questionsOf({ policies, situations, requests, one_by_one }) {
  if (one_by_one) return requests.map((_, index) => index)
  const statementsOf = cached((id) =>
    policies[id].document.Statement.map((statement) => ({
      text: `${policies[id].kind} ${JSON.stringify(statement)}`,
      application: application(statement),
      namesPrincipals: namesPrincipals(statement),
    })),
  )
  // The statements that name an action. Actions of a service with the same statements get the same object.
  const namedBy = cached((ids) => {
    const all = ids.split('\n').flatMap(statementsOf)
    const same = cached((_, statements) => statements)
    return cached((action) => {
      const statements = all.filter((each) => each.application.names(action))
      const service = action.slice(0, action.indexOf(':'))
      return same(`${service} ${statements.map((each) => all.indexOf(each))}`, statements)
    })
  })
  const numbers = new Map()
  const numberOf = (...question) => {
    const text = question.join('\n')
    if (!numbers.has(text)) numbers.set(text, numbers.size)
    return numbers.get(text)
  }
  const ofSituation = situations.map((situation) => {
    const { principal, account, identity, resource, resource_policy } = situation
    const named = namedBy([...identity, ...(resource_policy ? [resource_policy] : [])].join('\n'))
    const byStatements = cached((statements, action) => {
      const applying = statements.filter((each) => each.application.inSituation(situation))
      return numberOf(
        action.slice(0, action.indexOf(':')),
        applying.map(({ text }) => text),
        account,
        !!resource_policy,
        applying.some((each) => each.namesPrincipals) ? principal : (principal.split(':')[4] ?? principal),
      )
    })
    return (action) =>
      isSpecial(action, resource) ? numberOf(action, principal, resource, identity, resource_policy) : byStatements(named(action), action)
  })
  return requests.map(([number, action]) => ofSituation[number](action))
}

function decisions(batch, real) {
  const questions = questionsOf(batch)
  const answered = cached((question, number, action) => decide(batch.situations[number], action, real))
  return batch.requests.map(([number, action], index) => answered(questions[index], number, action))
}

function areCaught(batch, real) {
  const questions = questionsOf(batch)
  const ofSituation = cached(() => [])
  batch.requests.forEach(([number], index) => ofSituation(number).push(index))
  const concerned = cached((policy) =>
    batch.situations.flatMap(({ identity, resource_policy }, number) =>
      identity.includes(policy) || resource_policy === policy ? [number] : [],
    ),
  )
  return batch.mutants.map((mutant) => {
    const wrong = { ...real, [mutant.policy]: validated(mutant.policy, mutant) }
    const [before, after] = [mutant.before, mutant.after].map((statement) => statement && application(statement))
    const isSameOtherwise =
      mutant.before?.Effect === mutant.after?.Effect &&
      JSON.stringify(mutant.before?.Principal) === JSON.stringify(mutant.after?.Principal)
    const decided = cached((_, number, action) => decide(batch.situations[number], action, wrong))
    const asked = concerned(mutant.policy)
    const place = asked.findIndex((number) => {
      const [was, is] = [before, after].map((each) => each?.inSituation(batch.situations[number]))
      if (!was && !is) return false
      return ofSituation(number).some((index) => {
        const action = batch.requests[index][1]
        const [applied, applies] = [!!was && before.names(action), !!is && after.names(action)]
        // A mistake can change only decisions to which one of the two statements applies.
        if (applied === applies && (!applied || isSameOtherwise)) return false
        // Requests that are the same question stay the same question if the same statements apply.
        const principal = applies && namesPrincipals(mutant.after) ? batch.situations[number].principal : ''
        const decision = decided(`${questions[index]} ${applied} ${applies} ${principal}`, number, action)
        return (decision === 'Allowed') !== batch.expected[index]
      })
    })
    // A situation that catches one mutant often catches the next mutant too. Move it to the front.
    if (place > 0) asked.unshift(...asked.splice(place, 1))
    return place >= 0
  })
}

function answer(batch) {
  batch.requests = batch.requests.map(([number, action]) => [number, batch.actions[action]])
  const real = Object.fromEntries(Object.entries(batch.policies).map(([id, policy]) => [id, validated(id, policy)]))
  return batch.mutants ? areCaught(batch, real) : decisions(batch, real)
}

async function input() {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  return JSON.parse(text)
}

console.log(JSON.stringify(answer(await input())))
