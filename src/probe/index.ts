export { anonymized } from './anonymize.ts'
export {
  type Filtering,
  type Finding,
  type LegacyName,
  legacyName,
  type Mapping,
  type Narrowed,
} from './behavior.ts'
export { type LifetimeOptions, type LifetimeReport, probeLifetime } from './lifetime.ts'
export { type NatProbeOptions, probeNat } from './nat.ts'
export { type Behavior, connects, type Path, type Prediction, predict, predictionSchema } from './predict.ts'
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
export type { TurnVantageOptions } from './turn-vantage.ts'
