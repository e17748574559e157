def print_plan(plan): 
    print(plan.groups, plan.members)
