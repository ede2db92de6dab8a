export {
  anonymized,
  anonymizedCheck,
  anonymizedIce,
  anonymizedPing,
  anonymizedPrediction,
  anonymizedPunch,
  anonymizedThroughput,
} from './anonymize.ts'
export {
  type Filtering,
  type Finding,
  type LegacyName,
  legacyName,
  type Mapping,
  type Narrowed,
} from './behavior.ts'
export { type CheckOptions, checkTurn } from './check/check.ts'
export {
  type CertificateReport,
  type CheckReport,
  checkSchema,
  type EchoReport,
  type PolicyFinding,
  type Step,
  type StepName,
  type TransportReport,
} from './check/report.ts'
export {
  type CandidateReport,
  gatherCandidates,
  type IceProbeOptions,
  type IceReport,
  type IceServerReport,
  iceSchema,
} from './ice.ts'
export { type LifetimeOptions, type LifetimeReport, probeLifetime } from './lifetime.ts'
export { type NatProbeOptions, probeNat } from './nat.ts'
export { isUdpPortClosed, type OneShot, sendOnce } from './one-shot-udp.ts'
export {
  type Ping,
  type PingOptions,
  type PingReport,
  type PingServerReport,
  pingSchema,
  pingServers,
} from './ping.ts'
export { type Behavior, connects, type Path, type Prediction, predict, predictionSchema } from './predict.ts'
export {
  Punch,
  type PunchOptions,
  type PunchPath,
  type PunchReport,
  type PunchTry,
  punchSchema,
  type TriedPair,
} from './punch.ts'
export { decodePunchCode, encodePunchCode, type PunchCodeFault, type PunchOffer } from './punch-code.ts'
export {
  type FamilyName,
  type FamilyReport,
  type NatReport,
  natSchema,
  type ProbeReport,
  type Problem,
  type ServerReport,
  type Verdict,
} from './report.ts'
export { type RoundTrips, summarize } from './statistics.ts'
export {
  bytesOf,
  doublingUpTo,
  probeThroughput,
  type ThroughputEnd,
  type ThroughputOptions,
  type ThroughputPlan,
  type ThroughputReport,
  type ThroughputStep,
  throughputSchema,
} from './throughput.ts'
export type { TurnVantageOptions } from './turn-vantage.ts'
