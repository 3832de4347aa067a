import {
  Bolt,
  Box,
  CircleDot,
  Clock,
  CornerDownRight,
  Diamond,
  FileCode,
  Hand,
  Mail,
  Play,
  Radio,
  Square,
  Table2,
  UserRound,
} from 'lucide-vue-next'
import type { Component } from 'vue'

const icons: Record<string, Component> = {
  start: Play,
  end: Square,
  timer: Clock,
  message: Mail,
  event: Radio,
  boundary: CircleDot,
  service: Bolt,
  user: UserRound,
  script: FileCode,
  decision: Table2,
  task: Hand,
  gateway: Diamond,
  subprocess: Box,
  call: CornerDownRight,
}

/** The picture of a kind of step; what is not known yet is an event. */
export const iconOf = (type: string): Component => icons[type] ?? CircleDot
