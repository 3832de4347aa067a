package manifest

import "sextant/sdk/go/wire"

// Dimensions are the groups of the console's menu, in their order.
func Dimensions() []string {
	return []string{"design", "execute", "monitor", "intelligence", "adjust", "collaborate", "task", "system"}
}

// Risks are the risk words of actions, the least first.
func Risks() []string { return []string{wire.RiskRead, wire.RiskChange, wire.RiskDestructive} }

// ParamRisks are the words that say what about a parameter is risky: it holds a
// script that will be run, or a choice as risky as an action of that word.
func ParamRisks() []string { return append(Risks(), "script") }

// AttributeTypes are the types of attributes of objects.
func AttributeTypes() []string {
	return []string{wire.TypeString, wire.TypeText, wire.TypeInt, wire.TypeNumber,
		wire.TypeBool, wire.TypeDateTime, wire.TypeEnum, wire.TypeRef, wire.TypeMultiRef}
}

// ParamTypes are the types of parameters of actions.
func ParamTypes() []string {
	return append(AttributeTypes(), wire.TypeDuration, wire.TypeConnection, wire.TypeFile, wire.TypeList, wire.TypeObject)
}

// SettingTypes are the types of a plugin's settings.
func SettingTypes() []string {
	return []string{wire.TypeString, wire.TypeText, wire.TypeInt, wire.TypeNumber,
		wire.TypeBool, wire.TypeDateTime, wire.TypeEnum, wire.TypeDuration, wire.TypeConnection}
}

// SettingScopes say at which levels an operator may set a value; the platform's
// is the default.
func SettingScopes() []string { return []string{"platform", "project", "environment"} }

// Sources are where the value of an input may come from.
func Sources() []string { return []string{"path", "feel", "constant", "setting", "step"} }

// Methods are the HTTP methods of actions; POST is the default.
func Methods() []string { return []string{"POST", "GET", "PUT", "PATCH", "DELETE"} }

// LockModes are the modes of locks.
func LockModes() []string { return []string{"exclusive", "shared"} }

// RetryClasses are the classes of errors after which an action may be tried
// again.
func RetryClasses() []string { return []string{"transport", "throttled"} }
