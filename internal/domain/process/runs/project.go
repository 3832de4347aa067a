package runs

import (
	"context"
	"time"

	"sextant/internal/domain/dispatch/gift"
	"sextant/internal/domain/message"
	"sextant/internal/domain/worklist"
	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/program"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// Project keeps the read side in the engine's own write.
func (s *Service) Project(tx *db.Tx, c *durable.Change) error {
	run := int64(c.Run)
	tx.AfterCommit(func() {
		s.news.Poke(run)
		if a := s.family.of(run); a.root != 0 { // which tell of it, too
			s.news.Poke(a.parent)
			s.news.Poke(a.root)
		}
	})
	project, process := "", ""
	for _, e := range c.Effects {
		switch e.Kind {
		case engine.Unsubscribed:
			if err := s.Messages.Forget(tx, e.Key); err != nil {
				return err
			}
			continue
		case engine.IncidentRaised, engine.IncidentGone, engine.TaskCreated,
			engine.TaskGone, engine.RunEnded, engine.Subscribed, engine.SignalThrown:
		case engine.JobCreated, engine.JobGone:
			if !pulls(c.Program.Nodes[e.Node]) || e.Kind == engine.JobCreated && !Pulled(e.Job.Type) {
				continue
			}
		default:
			continue
		}
		if project == "" {
			var err error
			if project, process, err = s.where.of(tx, run); err != nil {
				return err
			}
		}
		if err := s.project(tx, c, e, Run{Key: api.Key(run), Project: project, Process: process}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) project(tx *db.Tx, c *durable.Change, e engine.Effect, r Run) error {
	node := c.Program.Nodes[e.Node]
	switch e.Kind {
	case engine.JobCreated, engine.JobGone:
		return s.projectJob(tx, c, e, r)
	case engine.IncidentRaised:
		if pulls(node) {
			if err := s.projectJob(tx, c, e, r); err != nil {
				return err
			}
		}
		i := Incident{Key: e.Key, Run: r.Key, Project: r.Project, Element: node.ID,
			Name: node.Name, Kind: e.Incident.Kind, Message: e.Incident.Message, Since: e.Incident.Since, element: int64(e.Element)}
		s.incidents.Add(int64(i.Run))
		if err := insertIncident(tx, i); err != nil {
			return err
		}
		return stopped.Publish(s.Bus, tx, about(r), Stopped{r.Process, node.ID, i.Kind, cutText(i.Message)})
	case engine.IncidentGone:
		if err := dropIncident(tx, int64(r.Key), int64(e.Key)); err != nil {
			return err
		}
		return resumed.Publish(s.Bus, tx, about(r), Resumed{r.Process, node.ID})
	case engine.TaskCreated:
		of, work := aboutTask(r, int64(e.Key))
		if err := taskCreated.Publish(s.Bus, tx, of, work); err != nil {
			return err
		}
		return s.Tasks.Put(tx,
			worklist.Task{Key: e.Key, Run: r.Key, Project: r.Project, Element: node.ID, Name: node.Name, Assignee: e.Task.Assignee,
				Groups: e.Task.CandidateGroups, Users: e.Task.CandidateUsers, Form: e.Task.Form, Created: c.Now,
				Due: e.Task.Due, FollowUp: e.Task.FollowUp})
	case engine.Subscribed:
		return s.Messages.Wait(tx,
			message.Waiter{Project: r.Project, Process: r.Process, Run: c.Run, Element: e.Element, Node: node.ID, Subscription: e.Subscription})
	case engine.SignalThrown:
		return s.throw(tx, c.Program, r, e)
	case engine.TaskGone:
		of, work := aboutTask(r, int64(e.Key))
		if err := taskClosed.Publish(s.Bus, tx, of, work); err != nil {
			return err
		}
		return s.Tasks.Drop(tx, int64(e.Key))
	case engine.RunEnded:
		if node.ID == "" { // it was set aside, and its steps are not known
			if err := s.Jobs.DropRun(tx, c.Run); err != nil {
				return err
			}
		}
		tx.AfterCommit(func() { s.ends.Poke(int64(r.Key)) })
		return s.end(tx, r, e, c.Now)
	}
	return nil
}

// throw sends a signal of a run out, with the rights that the run and all have who
// gave it what the signal carries.
func (s *Service) throw(tx *db.Tx, p *program.Program, r Run, e engine.Effect) error {
	m, err := s.mandate(context.Background(), tx, int64(r.Key))
	if err != nil {
		return err
	}
	given, _ := s.Dispatch.Gifts.Of(r.Key)
	by := gift.Signal{Own: m.Rights, Program: p, Node: p.Nodes[e.Node], Variables: e.Variables, Reads: s.Dispatch.Planner.Takes}.Carried(given)
	return s.Messages.Throw(tx,
		message.Thrown{Project: r.Project, Name: e.Name, Run: r.Key, Variables: e.Variables, By: by.Run(r.Key.String()).Rights()})
}

func (s *Service) end(tx *db.Tx, r Run, e engine.Effect, now time.Time) error {
	at, err := s.atWork(context.Background(), tx, int64(r.Key))
	if err != nil {
		return err
	}
	if at { // it has ended when what it began has: until then it keeps its locks
		if err := stopRun(tx, int64(r.Key), e); err != nil {
			return err
		}
		if err := s.dropIncidents(tx, int64(r.Key)); err != nil {
			return err
		}
		if err := s.Tasks.DropRun(tx, int64(r.Key)); err != nil {
			return err
		}
		return stopping.Publish(s.Bus, tx, about(r), Ended{r.Process, e.Code})
	}
	if err := endRun(tx, int64(r.Key), e, clock.Micros(now)); err != nil {
		return err
	}
	if err := s.dropIncidents(tx, int64(r.Key)); err != nil {
		return err
	}
	s.Dispatch.Records.Ended(tx, int64(r.Key))
	tx.AfterCommit(func() {
		s.active.Add(r.Project, -1)
		s.where.drop(r.Key)
	})
	if err := s.endedCall(tx, r.Key, now); err != nil { // while it is known who gave what
		return err
	}
	if err := s.Tasks.DropRun(tx, int64(r.Key)); err != nil {
		return err
	}
	if err := s.Dispatch.Gifts.Forget(tx, r.Key); err != nil {
		return err
	}
	if err := s.door.Release(tx, int64(r.Key)); err != nil {
		return err
	}
	if err := s.Messages.Ended(tx, r.Key); err != nil {
		return err
	}
	return ended[e.State].Publish(s.Bus, tx, about(r), Ended{r.Process, e.Code})
}
